import {
  writtenLeases,
  type LeaseMode,
  type RestoreAroundReport,
  type RestorePlan,
  type SafeBump,
} from '@etcd-ops/core';
import { emitJson, emitText } from '../output/emit.ts';
import { formatBytes, formatCount, formatDuration, formatNumberOf, renderTable } from '../output/table.ts';
import { formatTime } from '../output/times.ts';
import type { StartFiles } from '../start-files/write-start-files.ts';
import { describeBeforeDelete, type BeforeDelete } from './before-delete.ts';
import type { MemberPlan } from './member-directories.ts';

type Output = 'table' | 'json';

interface Context {
  plan: RestorePlan;
  beforeDelete: BeforeDelete | undefined;
  leases: LeaseMode;
  output: Output;
}

interface PlanContext extends Context {
  members: MemberPlan;
  safeBump: SafeBump | undefined;
  bumpRevision: number | undefined;
}

export function emitPlan(context: PlanContext): void {
  const {
    plan,
    members: { members },
    beforeDelete,
    safeBump,
    output,
  } = context;
  const by = context.bumpRevision;
  const bumped = by === undefined ? undefined : { by, revision: plan.revision + by };
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
      latestObserved: isoTime(plan.latestObservedMs),
      full: plan.full.key,
      cutFull: plan.cutFull,
      deltas: plan.deltas.map(({ key }) => key),
      bytesToFetch: plan.bytesToFetch,
      expectedDbBytes: plan.expectedDbBytes,
      beforeDelete,
      bumped,
      safeBump: describeSafeBump(safeBump),
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
        ['observed', describeObserved(plan.latestObservedMs)],
        ...changeRows({ beforeDelete, bumped, safeBump }),
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
  context: Context & { startFiles: readonly StartFiles[] },
): void {
  const warnings = [...new Set([...context.plan.warnings, ...report.warnings])];
  if (context.output === 'json') {
    emitJson({
      ...describeReport(
        { ...report, warnings, leases: writtenLeases(report.leases, context.leases) },
        context.startFiles,
      ),
      beforeDelete: context.beforeDelete,
    });
    return;
  }
  const tookMs = Object.values(report.phaseMs).reduce((sum, ms) => sum + ms, 0);
  const { bumped, safeBump } = report;
  const { kept, fromDeltas, unknown, dropped } = writtenLeases(report.leases, context.leases);
  emitText(
    renderTable(
      ['what', 'restored'],
      [
        ['revision', `${formatCount(report.revision)} of timeline ${report.timeline}`],
        ['observed', describeObserved(report.latestObservedMs)],
        ...changeRows({ beforeDelete: context.beforeDelete, bumped, safeBump }),
        ['from', `${report.full.key} and ${formatNumberOf(report.deltas, 'delta')}`],
        ['rows appended', formatCount(report.rowsAppended)],
        [
          'leases',
          dropped === undefined
            ? `${kept} kept, ${fromDeltas} from deltas, ${unknown.length} of unknown TTL`
            : `${dropped} dropped`,
        ],
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

function changeRows(changes: {
  beforeDelete: BeforeDelete | undefined;
  bumped: RestoreAroundReport['bumped'];
  safeBump: SafeBump | undefined;
}): string[][] {
  const { beforeDelete, bumped, safeBump } = changes;
  return [
    ...(beforeDelete === undefined ? [] : [['before delete', describeBeforeDelete(beforeDelete)]]),
    ...(bumped === undefined
      ? []
      : [
          [
            'raised',
            `by ${formatCount(bumped.by)} to ${formatCount(bumped.revision)}, compacted there when etcd starts`,
          ],
        ]),
    ...(safeBump === undefined ? [] : [['why so far', safeBump.explanation]]),
  ];
}

/** When the revision had certainly been reached. */
export function describeObserved(timeMs: number | undefined): string {
  return timeMs === undefined ? 'at a time that nobody recorded' : formatTime(new Date(timeMs).toISOString());
}

function isoTime(timeMs: number | undefined): string | undefined {
  return timeMs === undefined ? undefined : new Date(timeMs).toISOString();
}

function describeSafeBump(bump: SafeBump | undefined): Record<string, unknown> | undefined {
  if (bump === undefined) return undefined;
  const { highestCapturedMs, ...rest } = bump;
  const seen =
    highestCapturedMs === undefined ? {} : { highestCapturedTime: new Date(highestCapturedMs).toISOString() };
  return { ...rest, ...seen };
}

/** A report as JSON has it: ids in hex. */
export function describeReport(report: RestoreAroundReport, startFiles: readonly StartFiles[] = []): object {
  const { plan: _, safeBump, latestObservedMs, ...rest } = report;
  return {
    ...rest,
    latestObserved: isoTime(latestObservedMs),
    ...(safeBump === undefined ? {} : { safeBump: describeSafeBump(safeBump) }),
    clusterId: report.clusterId.toString(16),
    members: report.members.map((member) => ({ ...member, id: member.id.toString(16) })),
    leases: { ...report.leases, unknown: report.leases.unknown.map((id) => BigInt.asUintN(64, id).toString(16)) },
    ...(startFiles.length === 0 ? {} : { startFiles }),
  };
}
