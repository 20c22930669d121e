import { resolve } from 'node:path';
import {
  EtcdOpsError,
  parseInitialCluster,
  planRestoreFrom,
  readInventory,
  restoreAround,
  type EtcdTarget,
  type MemberSpec,
  type RestoreAroundReport,
  type RestorePlan,
  type RestoreTarget,
} from '@etcd-ops/core';
import { openStore } from '@etcd-ops/service-kit';
import type { RepositoryOptions } from '../options/repository-options.ts';
import { emitJson, emitText } from '../output/emit.ts';
import { ProgressLine } from '../output/progress-line.ts';
import { formatBytes, formatCount, formatDuration, renderTable } from '../output/table.ts';
import { storeSpec } from './store-spec.ts';

export interface RestoreOptions extends RepositoryOptions {
  dataDir: string;
  walDir?: string;
  name: string;
  initialCluster: string;
  initialClusterToken: string;
  initialAdvertisePeerUrls?: string[];
  revision?: number;
  time?: number;
  snapshot?: string;
  timeline?: number;
  target?: EtcdTarget;
  skipHashCheck: boolean;
  maxFetchers: number;
  plan?: boolean;
  output: 'table' | 'json';
}

/** One shot: plan, say what is planned, restore, report. A signal cancels it and leaves nothing behind. */
export async function runRestore(options: RestoreOptions): Promise<void> {
  const initialCluster = membersOf(options);
  const store = await openStore(storeSpec(options));
  const inventory = await readInventory(store, options.clusterName);
  const plan = await planRestoreFrom(store, inventory, targetOf(options));
  if (options.plan === true) return emitPlan(plan, options.output);

  const cancel = new AbortController();
  const onSignal = (): void => cancel.abort();
  process.once('SIGINT', onSignal);
  process.once('SIGTERM', onSignal);
  const progress = new ProgressLine(process.stderr);
  try {
    const report = await restoreAround({
      store,
      inventory,
      // What a time means was found above, by looking into a delta; from here on it is a revision.
      restoreTo: options.snapshot === undefined ? { kind: 'revision', revision: plan.revision, timeline: plan.timeline } : targetOf(options),
      dataDirs: [{ member: options.name, dataDir: resolve(options.dataDir), walDir: options.walDir === undefined ? undefined : resolve(options.walDir) }],
      initialCluster,
      token: options.initialClusterToken,
      target: options.target,
      skipHashCheck: options.skipHashCheck,
      fetchersMax: options.maxFetchers,
      signal: cancel.signal,
      onProgress: (phase, done, total) => progress.update(phase, done, total),
    });
    progress.clear();
    emitReport(report, plan, options.output);
  } finally {
    progress.clear();
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
}

/** etcdctl's rule: the URLs that a member advertises must be those of its name in the initial cluster. */
function membersOf(options: RestoreOptions): MemberSpec[] {
  const members = parseInitialCluster(options.initialCluster);
  const advertised = options.initialAdvertisePeerUrls;
  if (advertised === undefined) return members;
  const own = members.find((member) => member.name === options.name)?.peerUrls ?? [];
  if (own.toSorted().join() === advertised.toSorted().join()) return members;
  throw new EtcdOpsError('USAGE', {
    message: `--initial-cluster names ${own.join(' ') || 'no URL'} for ${options.name}, but --initial-advertise-peer-urls says ${advertised.join(' ')}`,
    remedy: 'Make both say the same.',
  });
}

function targetOf(options: RestoreOptions): RestoreTarget {
  const timeline = options.timeline === undefined ? {} : { timeline: options.timeline };
  if (options.snapshot !== undefined) return { kind: 'snapshot', key: options.snapshot };
  if (options.revision !== undefined) return { kind: 'revision', revision: options.revision, ...timeline };
  if (options.time !== undefined) return { kind: 'time', timeMs: options.time, ...timeline };
  return { kind: 'latest', ...timeline };
}

function emitPlan(plan: RestorePlan, output: 'table' | 'json'): void {
  if (output === 'json') {
    emitJson({
      cluster: plan.cluster,
      timeline: plan.timeline,
      revision: plan.revision,
      full: plan.full.key,
      cutFull: plan.cutFull,
      deltas: plan.deltas.map(({ key }) => key),
      bytesToFetch: plan.bytesToFetch,
      expectedDbBytes: plan.expectedDbBytes,
      warnings: plan.warnings,
    });
    return;
  }
  emitText(
    renderTable(
      ['what', 'plan'],
      [
        ['revision', `${formatCount(plan.revision)} of timeline ${plan.timeline}`],
        ['full', `${plan.full.key}${plan.cutFull ? ' (its rows above the revision are left away)' : ''}`],
        ['deltas', formatCount(plan.deltas.length)],
        ['to fetch', formatBytes(plan.bytesToFetch)],
        ['database', `about ${formatBytes(plan.expectedDbBytes)}`],
        ...plan.warnings.map((warning) => ['note', warning]),
      ],
    ),
  );
}

function emitReport(report: RestoreAroundReport, plan: RestorePlan, output: 'table' | 'json'): void {
  const warnings = [...new Set([...plan.warnings, ...report.warnings])];
  if (output === 'json') {
    const { plan: _, ...rest } = report;
    emitJson({
      ...rest,
      warnings,
      clusterId: report.clusterId.toString(16),
      members: report.members.map((member) => ({ ...member, id: member.id.toString(16) })),
      leases: { ...report.leases, unknown: report.leases.unknown.map((id) => BigInt.asUintN(64, id).toString(16)) },
    });
    return;
  }
  const tookMs = Object.values(report.phaseMs).reduce((sum, ms) => sum + ms, 0);
  emitText(
    renderTable(
      ['what', 'restored'],
      [
        ['revision', `${formatCount(report.revision)} of timeline ${report.timeline}`],
        ['from', `${report.full.key} and ${formatCount(report.deltas)} deltas`],
        ['rows appended', formatCount(report.rowsAppended)],
        ['leases', `${report.leases.kept} kept, ${report.leases.fromDeltas} from deltas, ${report.leases.unknown.length} of unknown TTL`],
        ['database', formatBytes(report.databaseBytes)],
        ...report.members.map((member) => [member.name, member.dataDir]),
        ['time', formatDuration(tookMs)],
        ...warnings.map((warning) => ['note', warning]),
      ],
    ),
  );
}
