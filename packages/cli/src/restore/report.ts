import type { RestoreAroundReport, RestorePlan } from '@etcd-ops/core';
import { emitJson, emitText } from '../output/emit.ts';
import { formatBytes, formatCount, formatDuration, renderTable } from '../output/table.ts';
import type { StartFiles } from '../start-files/write-start-files.ts';
import type { MemberPlan } from './member-directories.ts';

type Output = 'table' | 'json';

export function emitPlan(plan: RestorePlan, { members }: MemberPlan, output: Output): void {
  const directories = members.map(({ member, dataDir, walDir }) => ({
    name: member,
    dataDir,
    ...(walDir === undefined ? {} : { walDir }),
  }));
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
      members: directories,
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
        ...directories.map(({ name, dataDir }) => [name, dataDir]),
        ...plan.warnings.map((warning) => ['note', warning]),
      ],
    ),
  );
}

export function emitReport(
  report: RestoreAroundReport,
  context: { plan: RestorePlan; startFiles: readonly StartFiles[]; output: Output },
): void {
  const warnings = [...new Set([...context.plan.warnings, ...report.warnings])];
  if (context.output === 'json') {
    emitJson(describeReport({ ...report, warnings }, context.startFiles));
    return;
  }
  const tookMs = Object.values(report.phaseMs).reduce((sum, ms) => sum + ms, 0);
  const { kept, fromDeltas, unknown } = report.leases;
  emitText(
    renderTable(
      ['what', 'restored'],
      [
        ['revision', `${formatCount(report.revision)} of timeline ${report.timeline}`],
        ['from', `${report.full.key} and ${formatCount(report.deltas)} deltas`],
        ['rows appended', formatCount(report.rowsAppended)],
        ['leases', `${kept} kept, ${fromDeltas} from deltas, ${unknown.length} of unknown TTL`],
        ['database', formatBytes(report.databaseBytes)],
        ['for etcd', report.target],
        ['cluster id', report.clusterId.toString(16)],
        ...report.members.map((member) => [member.name, member.dataDir]),
        ...context.startFiles.map(({ name, directory }) => [`start ${name}`, directory]),
        ['time', formatDuration(tookMs)],
        ...warnings.map((warning) => ['note', warning]),
      ],
    ),
  );
}

/** A report as JSON has it: ids in hex. */
export function describeReport(report: RestoreAroundReport, startFiles: readonly StartFiles[] = []): unknown {
  const { plan: _, ...rest } = report;
  return {
    ...rest,
    clusterId: report.clusterId.toString(16),
    members: report.members.map((member) => ({ ...member, id: member.id.toString(16) })),
    leases: { ...report.leases, unknown: report.leases.unknown.map((id) => BigInt.asUintN(64, id).toString(16)) },
    ...(startFiles.length === 0 ? {} : { startFiles }),
  };
}
