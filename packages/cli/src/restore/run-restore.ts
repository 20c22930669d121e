import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { EtcdOpsError, type EtcdTarget, type RestorePlan } from '@etcd-ops/core';
import type { ChangeOptions, MomentOptions } from '../options/moment-options.ts';
import type { AdoptingOptions } from '../options/layout-options.ts';
import type { IdentityOptions } from '../options/packing-options.ts';
import type { RepositoryOptions } from '../options/repository-options.ts';
import { cancelOnSignal } from '../output/cancel-on-signal.ts';
import { ProgressLine, type ProgressMode } from '../output/progress-line.ts';
import { planStart, type MemberStart } from '../start-files/start-plan.ts';
import type { StartFiles } from '../start-files/write-start-files.ts';
import { fileName, planMemberDirectories, type MemberPlan } from './member-directories.ts';
import { giveTo, parseOwner } from './owner.ts';
import { emitPlan, emitReport } from './report.ts';
import { planSource } from './restore-source.ts';
import { stateChangesOf } from './state-changes.ts';

export interface RestoreOptions
  extends RepositoryOptions, AdoptingOptions, IdentityOptions, MomentOptions, ChangeOptions {
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
  target?: EtcdTarget;
  skipHashCheck: boolean;
  maxFetchers: number;
  plan?: boolean;
  output: 'table' | 'json';
  progress: ProgressMode;
}

/** One shot: plan, say what is planned, restore, report. A signal cancels it and leaves nothing behind. */
export async function runRestore(options: RestoreOptions): Promise<void> {
  const owner = options.owner === undefined ? undefined : parseOwner(options.owner);
  const { safeBump: _, ...changes } = stateChangesOf(options);
  const members = planMemberDirectories(options);
  using cancel = cancelOnSignal();
  await using source = await planSource(options, cancel.signal);
  const { plan, beforeDelete, safeBump } = source;
  const starts = startsOf(members, plan, options);
  const context = { plan, beforeDelete, leases: options.leases, output: options.output };
  if (options.plan === true) {
    return emitPlan({ ...context, members, safeBump, bumpRevision: safeBump?.by ?? changes.bumpRevision });
  }

  const progress = new ProgressLine(process.stderr, options.progress);
  try {
    const report = await source.run({
      ...changes,
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
    emitReport(report, { ...context, startFiles });
  } finally {
    progress.clear();
  }
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
  const { writeStartFiles } = await import('../start-files/write-start-files.ts');
  return await writeStartFiles(starts, { directory: options.startFiles, image: options.etcdImage });
}
