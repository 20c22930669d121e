import {
  describeDuration,
  parseObjectKey,
  retentionPolicyOf,
  policyNameOf,
  type Collection,
  type CollectionReport,
  type PolicySettings,
  type RestorableRange,
  type RetentionDecision,
} from '@etcd-ops/core';
import { emitJson, emitText } from '../output/emit.ts';
import { formatBytes, formatCount, renderTable } from '../output/table.ts';
import { formatTime } from '../output/times.ts';
import { describePolicy, describeSettings } from './describe-policy.ts';

interface GcContext {
  settings: PolicySettings & { graceMs: number };
  output: 'table' | 'json';
}

/** Rows of one table; -o json has all. */
const SHOWN_MAX = 40;

export function emitPlan(collection: Collection, { settings, output }: GcContext): void {
  const { inventory, plan, losses } = collection;
  if (output === 'json') {
    const { deltaRetention, windowMs, timeZone } = retentionPolicyOf(settings);
    emitJson({
      cluster: inventory.cluster,
      policy: {
        name: policyNameOf(settings),
        ...describeSettings(settings),
        deltaRetention,
        pointInTimeWindowMs: windowMs,
        timeZone,
        graceMs: settings.graceMs,
      },
      keep: plan.keep.map((decision) => describe(decision)),
      remove: stagesOf(collection).map(({ decision, ...stage }) => ({ ...describe(decision), ...stage })),
      kept: totalOf(plan.keep),
      removed: totalOf(plan.remove),
      unrestorable: losses.lost.map(describeRange),
      restorable: losses.left.map(describeRange),
    });
    return;
  }
  emitText(
    [
      describePolicy(settings),
      '',
      ...section('Goes', removedTable(collection)),
      ...section('Stays', keptTable(plan.keep)),
      ...section('Becomes unrestorable', rangeTable(losses.lost)),
      ...section('Stays restorable', rangeTable(losses.left)),
      `${sayObjects(plan.remove)} to go; ${sayObjects(plan.keep)} stay.`,
    ].join('\n'),
  );
}

export function emitApplied(collection: Collection, report: CollectionReport, { settings, output }: GcContext): void {
  const { inventory, stage, losses } = collection;
  const problems = report.refused.map(({ key, problem }) => ({ key, problem }));
  if (output === 'json') {
    emitJson({
      cluster: inventory.cluster,
      marked: { ...totalOf(report.marked), keys: report.marked.flatMap(({ keys }) => keys) },
      removed: { ...totalOf(report.removed), keys: report.removed.flatMap(({ keys }) => keys) },
      waiting: totalOf(stage.waiting.map(({ decision }) => decision)),
      held: totalOf(stage.held.map(({ decision }) => decision)),
      refused: problems,
      untried: report.untried,
      pinnedMeanwhile: report.pinnedMeanwhile,
      swept: report.swept,
      graceMs: settings.graceMs,
      unrestorable: losses.lost.map(describeRange),
      restorable: losses.left.map(describeRange),
    });
    return;
  }
  const after =
    settings.graceMs === 0 ? '' : `, to be removed by a run in ${describeDuration(settings.graceMs)} or later`;
  const waiting = stage.waiting.map(({ decision }) => decision);
  const lines = [
    report.removed.length === 0 ? undefined : `Removed: ${sayObjects(report.removed)}.`,
    report.marked.length === 0 || settings.graceMs === 0 ? undefined : `Marked: ${sayObjects(report.marked)}${after}.`,
    waiting.length === 0 ? undefined : `Marked before, and not due yet: ${sayObjects(waiting)}.`,
    ...stage.held.map(
      ({ decision, hold }) => `Being read (${hold.purpose}, ${hold.holder}): ${decision.keys.at(-1)!}.`,
    ),
    ...stage.refused.map(
      ({ decision, retryMs }) =>
        `Refused by the store before: ${decision.keys.at(-1)!}; tried again from ${formatTime(new Date(retryMs).toISOString())} on.`,
    ),
    ...problems.map(({ key, problem }) => `Refused by the store: ${key}: ${problem}`),
    report.pinnedMeanwhile ? 'A pin was made meanwhile: run it again.' : undefined,
    report.swept === 0
      ? undefined
      : `Left behind by writers that died, and removed: ${formatCount(report.swept)} files or uploads.`,
  ].filter((line) => line !== undefined);
  emitText(lines.length === 0 ? 'Nothing is to go.' : lines.join('\n'));
}

/** What is asked before something goes. */
export function sayRemoval({ stage, losses }: Collection, { graceMs }: { graceMs: number }): string {
  const { mark, remove } = stage;
  const now = graceMs === 0 ? [...remove, ...mark] : remove;
  const later = graceMs === 0 ? [] : mark;
  const lost = losses.lost.slice(-3).map(({ timeline, from, to }) => {
    const span = from === to ? formatCount(from) : `${formatCount(from)} to ${formatCount(to)}`;
    return `${span} of timeline ${timeline}`;
  });
  return [
    now.length === 0 ? undefined : `${sayObjects(now)} are removed.`,
    later.length === 0
      ? undefined
      : `${sayObjects(later)} are marked, and removed by a run in ${describeDuration(graceMs)} or later.`,
    lost.length === 0
      ? 'Every revision that can be restored now stays restorable.'
      : `Then these revisions cannot be restored any more: ${losses.lost.length > 3 ? `${losses.lost.length - 3} older ranges, ` : ''}${lost.join(', ')}.`,
  ]
    .filter((line) => line !== undefined)
    .join(' ');
}

interface StagedDecision {
  decision: RetentionDecision;
  stage: 'mark' | 'waiting' | 'held' | 'refused' | 'remove';
  /** When a run may remove it. */
  due?: string;
  heldBy?: string;
}

/** In the order of removal. */
function stagesOf({ plan, stage }: Collection): StagedDecision[] {
  const staged = new Map<RetentionDecision, Omit<StagedDecision, 'decision'>>([
    ...stage.mark.map((decision) => [decision, { stage: 'mark' as const }] as const),
    ...stage.remove.map((decision) => [decision, { stage: 'remove' as const }] as const),
    ...stage.waiting.map(({ decision, dueMs }) => [decision, { stage: 'waiting' as const, due: iso(dueMs) }] as const),
    ...stage.refused.map(
      ({ decision, retryMs }) => [decision, { stage: 'refused' as const, due: iso(retryMs) }] as const,
    ),
    ...stage.held.map(
      ({ decision, hold }) => [decision, { stage: 'held' as const, heldBy: `${hold.purpose} ${hold.holder}` }] as const,
    ),
  ]);
  return plan.remove.map((decision) => ({ decision, ...staged.get(decision)! }));
}

function removedTable(collection: Collection): string[] {
  const staged = stagesOf(collection);
  const rows = staged
    .slice(0, SHOWN_MAX)
    .map(({ decision, stage, due, heldBy }) => [
      nameOf(decision),
      formatBytes(decision.bytes),
      { mark: 'not marked', remove: 'due', waiting: 'marked', held: 'being read', refused: 'refused' }[stage],
      `${decision.reason}${due === undefined ? '' : `; from ${formatTime(due)} on`}${heldBy === undefined ? '' : `; ${heldBy}`}`,
    ]);
  if (rows.length === 0) return [];
  return [
    renderTable(['what', 'size', 'state', 'why'], rows),
    ...(staged.length > rows.length
      ? [`and ${formatCount(staged.length - rows.length)} more; -o json names them all`]
      : []),
  ];
}

/** Fulls one by one, deltas by reason. */
function keptTable(kept: readonly RetentionDecision[]): string[] {
  const fulls = kept.filter(({ kind }) => kind === 'full');
  const others = Map.groupBy(
    kept.filter(({ kind }) => kind !== 'full'),
    ({ kind, reason }) => `${kind}\n${reason}`,
  );
  const shown = fulls.slice(-SHOWN_MAX);
  const rows = [
    ...shown.map((decision) => [nameOf(decision), formatBytes(decision.bytes), decision.reason]),
    ...[...others.values()].map((group) => [
      sayCount(group.length, group[0]!.kind),
      formatBytes(sum(group)),
      group[0]!.reason,
    ]),
  ];
  if (rows.length === 0) return [];
  const older = fulls.length - shown.length;
  return [
    renderTable(['what', 'size', 'why'], rows),
    ...(older > 0 ? [`and ${formatCount(older)} older fulls; -o json names them all`] : []),
  ];
}

function rangeTable(ranges: readonly RestorableRange[]): string[] {
  if (ranges.length === 0) return [];
  const shown = ranges.slice(-SHOWN_MAX);
  const rows = shown.map(({ timeline, from, to, fromTimeMs, toTimeMs }) => [
    String(timeline),
    formatCount(from),
    formatCount(to),
    fromTimeMs === undefined ? '' : formatTime(iso(fromTimeMs)),
    toTimeMs === undefined ? '' : formatTime(iso(toTimeMs)),
  ]);
  return [
    renderTable(['timeline', 'from revision', 'to revision', 'from time', 'to time'], rows),
    ...(ranges.length > shown.length ? [`and ${formatCount(ranges.length - shown.length)} older ranges`] : []),
  ];
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [title, ...lines, ''];
}

/** `full 184,467 of 2026-11-20 06:00:00Z, timeline 1`. */
function nameOf({ keys, kind }: RetentionDecision): string {
  const parsed = parseObjectKey(keys.at(-1)!);
  if (kind === 'full' && parsed?.kind === 'full') {
    return `full ${formatCount(parsed.revision)} of ${formatTime(iso(parsed.createdAtMs))}, timeline ${parsed.timeline}`;
  }
  if (parsed?.kind === 'delta') {
    return `delta ${formatCount(parsed.first)} to ${formatCount(parsed.last)}, timeline ${parsed.timeline}`;
  }
  if (parsed?.kind === 'leases') return `leases of ${formatCount(parsed.revision)}, timeline ${parsed.timeline}`;
  return keys.at(-1)!;
}

function describe({ keys, kind, bytes, code, reason }: RetentionDecision): Record<string, unknown> {
  const parsed = parseObjectKey(keys.at(-1)!);
  const place =
    parsed?.kind === 'full'
      ? { timeline: parsed.timeline, revision: parsed.revision, createdAt: iso(parsed.createdAtMs) }
      : parsed?.kind === 'delta'
        ? { timeline: parsed.timeline, first: parsed.first, last: parsed.last }
        : parsed?.kind === 'leases'
          ? { timeline: parsed.timeline, revision: parsed.revision }
          : {};
  return { kind, keys, ...place, bytes, code, reason };
}

function describeRange({ fromTimeMs, toTimeMs, ...range }: RestorableRange): Record<string, unknown> {
  return {
    ...range,
    ...(fromTimeMs === undefined ? {} : { fromTime: iso(fromTimeMs) }),
    ...(toTimeMs === undefined ? {} : { toTime: iso(toTimeMs) }),
  };
}

function totalOf(decisions: readonly RetentionDecision[]): { things: number; objects: number; bytes: number } {
  const objects = decisions.reduce((count, { keys }) => count + keys.length, 0);
  return { things: decisions.length, objects, bytes: sum(decisions) };
}

/** `3 fulls and 12 deltas (1.2 GB)`. */
function sayObjects(decisions: readonly RetentionDecision[]): string {
  const kinds = Map.groupBy(decisions, ({ kind }) => kind);
  const counts = [...kinds].map(([kind, group]) => sayCount(group.length, kind));
  if (counts.length === 0) return 'nothing';
  return `${counts.join(' and ')} (${formatBytes(sum(decisions))})`;
}

function sayCount(count: number, kind: RetentionDecision['kind']): string {
  const words = { full: 'full', delta: 'delta', orphan: 'orphan', leases: 'lease object', damaged: 'damaged object' };
  return `${formatCount(count)} ${words[kind]}${count === 1 ? '' : 's'}`;
}

function sum(decisions: readonly RetentionDecision[]): number {
  return decisions.reduce((total, { bytes }) => total + bytes, 0);
}

function iso(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
