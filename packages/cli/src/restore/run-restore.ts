import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import {
  BoltFile,
  checkBoltFile,
  EtcdOpsError,
  planRestoreFrom,
  readInventory,
  restore,
  restoreAround,
  type EtcdTarget,
  type Inventory,
  type RestoreAroundReport,
  type RestorePlan,
  type RestoreOptions as CoreRestoreOptions,
  type RestoreTarget,
  openStore,
} from '@etcd-ops/core';
import type { RepositoryOptions } from '../options/repository-options.ts';
import { cancelOnSignal } from '../output/cancel-on-signal.ts';
import { ProgressLine, type ProgressMode } from '../output/progress-line.ts';
import { planStart, type MemberStart } from '../start-files/start-plan.ts';
import { writeStartFiles, type StartFiles } from '../start-files/write-start-files.ts';
import { fileName, planMemberDirectories, type MemberPlan } from './member-directories.ts';
import { giveTo, parseOwner } from './owner.ts';
import { emitPlan, emitReport } from './report.ts';
import { planSnapshotFile } from './snapshot-file.ts';
import { storeSpec } from './store-spec.ts';

export interface RestoreOptions extends RepositoryOptions {
  dataDir?: string;
  walDir?: string;
  name: string;
  initialCluster: string;
  initialClusterToken: string;
  initialAdvertisePeerUrls?: string[];
  allMembers?: boolean;
  owner?: string;
  fromFile?: string;
  startFiles?: string;
  startDataDir?: string;
  clientUrls?: string;
  etcdImage?: string;
  cacert?: string;
  cert?: string;
  key?: string;
  revision?: number;
  time?: number;
  snapshot?: string;
  timeline?: number;
  target?: EtcdTarget;
  skipHashCheck: boolean;
  maxFetchers: number;
  plan?: boolean;
  output: 'table' | 'json';
  progress: ProgressMode;
}

/** What the repository, or one file, gives: planned, and ready to be restored. */
interface Source {
  plan: RestorePlan;
  run(options: Omit<CoreRestoreOptions, 'store' | 'plan'>): Promise<RestoreAroundReport>;
}

/** One shot: plan, say what is planned, restore, report. A signal cancels it and leaves nothing behind. */
export async function runRestore(options: RestoreOptions): Promise<void> {
  const owner = options.owner === undefined ? undefined : parseOwner(options.owner);
  const members = planMemberDirectories(options);
  const source =
    options.fromFile === undefined ? await fromRepository(options) : await fromFile(options.fromFile, options);
  const { plan } = source;
  const starts = startsOf(members, plan, options);
  if (options.plan === true) return emitPlan(plan, members, options.output);

  using cancel = cancelOnSignal();
  const progress = new ProgressLine(process.stderr, options.progress);
  try {
    const report = await source.run({
      dataDirs: members.members,
      initialCluster: members.initialCluster,
      token: members.token,
      target: options.target,
      skipHashCheck: options.skipHashCheck,
      fetchersMax: options.maxFetchers,
      signal: cancel.signal,
      onProgress: (phase, done, total) => progress.update(phase, done, total),
    });
    if (owner !== undefined) {
      for (const { dataDir, walDir } of report.members) {
        await giveTo(owner, dataDir);
        if (!walDir.startsWith(join(dataDir, '/'))) await giveTo(owner, walDir);
      }
    }
    const startFiles = await writeFiles(starts, options);
    progress.clear();
    emitReport(report, { plan, startFiles, output: options.output });
  } finally {
    progress.clear();
  }
}

async function fromRepository(options: RestoreOptions): Promise<Source> {
  const store = await openStore(storeSpec(options));
  const inventory: Inventory = await readInventory(store, options.clusterName);
  const plan = await planRestoreFrom(store, inventory, targetOf(options));
  return {
    plan,
    run: (rest) =>
      restoreAround({
        ...rest,
        store,
        inventory,
        // What a time means was found above, by looking into a delta; from here on it is a revision.
        restoreTo:
          options.snapshot === undefined
            ? { kind: 'revision', revision: plan.revision, timeline: plan.timeline }
            : targetOf(options),
      }),
  };
}

async function fromFile(path: string, options: RestoreOptions): Promise<Source> {
  if (options.time !== undefined || options.snapshot !== undefined || options.timeline !== undefined) {
    throw new EtcdOpsError('USAGE', {
      message: 'A file has neither times nor timelines nor other snapshots in it',
      remedy: 'With --from-file only --revision chooses a moment; leave --time, --snapshot and --timeline away.',
    });
  }
  const { store, plan, target } = planSnapshotFile(path, options);
  if (options.skipHashCheck) {
    using file = BoltFile.open(resolve(path));
    await checkBoltFile(file);
  }
  return {
    plan,
    run: async (rest) => {
      const report = await restore({ ...rest, store, plan, target: rest.target ?? target, verify: false });
      return { ...report, plan, damaged: [] };
    },
  };
}

function targetOf(options: RestoreOptions): RestoreTarget {
  const timeline = options.timeline === undefined ? {} : { timeline: options.timeline };
  if (options.snapshot !== undefined) return { kind: 'snapshot', key: options.snapshot };
  if (options.revision !== undefined) return { kind: 'revision', revision: options.revision, ...timeline };
  if (options.time !== undefined) return { kind: 'time', timeMs: options.time, ...timeline };
  return { kind: 'latest', ...timeline };
}

/** Worked out before anything is restored, so that a wrong flag leaves nothing behind. */
function startsOf(members: MemberPlan, plan: RestorePlan, options: RestoreOptions): MemberStart[] {
  if (options.startFiles === undefined) return [];
  const directory = resolve(options.startFiles);
  for (const { spec } of members.members) {
    const taken = join(directory, fileName(spec.name));
    if (!existsSync(taken)) continue;
    throw new EtcdOpsError('TARGET_OCCUPIED', {
      message: `--start-files: ${taken} is there already`,
      remedy: 'Name another directory with --start-files; nothing is replaced.',
    });
  }
  const etcdVersion = options.target ?? plan.full.manifest.etcdVersion;
  return planStart(
    {
      initialCluster: members.initialCluster,
      token: members.token,
      members: members.members.map(({ spec, dataDir, walDir }) => ({
        spec,
        dataDir: options.startDataDir?.replaceAll('{name}', fileName(spec.name)) ?? dataDir,
        walDir,
      })),
      etcdVersion,
    },
    options,
  );
}

async function writeFiles(starts: readonly MemberStart[], options: RestoreOptions): Promise<StartFiles[]> {
  if (options.startFiles === undefined) return [];
  return await writeStartFiles(starts, { directory: options.startFiles, image: options.etcdImage });
}
