import type { EtcdOpsError } from '../base/errors.ts';
import type { ObservedTime } from '../delta/delta-format.ts';
import { gapsOf, rangesOf, type Gap, type RestorableRange } from './coverage.ts';
import { reachedMsOf } from './full-times.ts';
import type { DeltaEntry, TimelineInventory } from './inventory.ts';
import { describeGap, timeNotRestorable } from './not-restorable.ts';

/** A revision that had certainly been reached at a time. */
export interface TimePoint {
  revision: number;
  timeMs: number;
  /**
   * `seen`: out of a delta's times, so the revisions up to it came just then. `end`: the end of a delta nobody looked into.
   * `file`: the end of a full; its last revisions may have come long before.
   */
  kind: 'seen' | 'end' | 'file';
}

/** What a time turned into. */
export interface ResolvedTime {
  timeline: number;
  /** The largest restorable revision that is surely not later than the time. */
  revision: number;
  /** When that revision had certainly been reached. */
  observedMs: number;
  /**
   * Set when later revisions, up to this one, may be as old as the time, too: nobody recorded when each of them came, only
   * that all had come at `timeMs`.
   */
  uncertainTo?: { revision: number; timeMs: number };
  /** A newer timeline that had begun by then, but holds nothing known to be that old. */
  fellBackFrom?: number;
  /** Encrypted deltas whose times might tell more: no identity at hand opens them. */
  notLookedInto?: string[];
}

/** Times read out of deltas, by timeline. */
export type SeenTimes = ReadonlyMap<number, readonly ObservedTime[]>;

/**
 * Resolves a time: from names alone to a full or to the end of a delta, and finer with what was `seen` inside of a delta.
 * `timelines`: newest first, each with a full.
 * @throws EtcdOpsError TIME_NOT_RESTORABLE naming what can be had instead, and the gap if the time lies in one.
 */
export function resolveTimeByPoints(
  timelines: readonly TimelineInventory[],
  timeMs: number,
  seen: SeenTimes = new Map(),
): ResolvedTime {
  let newer: number | undefined;
  for (const timeline of timelinesAt(timelines, timeMs)) {
    const points = timePoints(timeline, seen.get(timeline.timeline) ?? []);
    const resolved = resolveInTimeline(timeline, timelines, points, timeMs);
    if (resolved !== undefined) return newer === undefined ? resolved : { ...resolved, fellBackFrom: newer };
    newer ??= timeline.timeline;
  }
  const points = timelines.flatMap((timeline) => timePoints(timeline, seen.get(timeline.timeline) ?? []));
  const earliest = points.reduce((first, point) => Math.min(first, point.timeMs), Infinity);
  const known = earliest === Infinity ? 'no time is known at all' : `the earliest known time is ${iso(earliest)}`;
  throw timeNotRestorable(`Nothing is known to be as old as ${iso(timeMs)}: ${known}`, timelines, iso(timeMs));
}

/** Timelines that had begun at a time: a history that had not is not meant. */
export function timelinesAt(timelines: readonly TimelineInventory[], timeMs: number): TimelineInventory[] {
  return timelines.filter(({ record }) => record === undefined || Date.parse(record.startedAt) <= timeMs);
}

/** The one delta whose own times may tell more about `timeMs` than its name does. */
export function deltaToLookInto(timeline: TimelineInventory, timeMs: number): DeltaEntry | undefined {
  const points = timePoints(timeline, []);
  const next = points.findIndex((point) => point.timeMs > timeMs);
  const known = next === -1 ? points.at(-1) : points[next - 1];
  const reached = known?.revision ?? 0;
  const bound = next === -1 ? Infinity : points[next]!.revision;
  const holding = timeline.deltas.filter(({ first, last }) => last > reached && first <= bound);
  // The lowest is the one that goes on where the known times end.
  return holding.reduce<DeltaEntry | undefined>(
    (best, delta) => (best === undefined || delta.last < best.last ? delta : best),
    undefined,
  );
}

/** Sentences for the plan about a time that could not be met exactly. */
export function describeResolved(resolved: ResolvedTime): string[] {
  const warnings: string[] = [];
  if (resolved.fellBackFrom !== undefined) {
    warnings.push(
      `Timeline ${resolved.fellBackFrom} had begun by then, but holds nothing known to be that old: this is timeline ${resolved.timeline}.`,
    );
  }
  for (const key of resolved.notLookedInto ?? []) {
    warnings.push(
      `The times inside of ${key} are encrypted: with --identity-file, this time may mean a later revision.`,
    );
  }
  if (resolved.uncertainTo !== undefined) {
    const { revision, timeMs } = resolved.uncertainTo;
    warnings.push(
      `The time of the revisions ${resolved.revision + 1} to ${revision} is known only to lie between ${iso(resolved.observedMs)} and ${iso(timeMs)}: this is the state before all of them.`,
    );
  }
  return warnings;
}

function resolveInTimeline(
  timeline: TimelineInventory,
  all: readonly TimelineInventory[],
  points: readonly TimePoint[],
  timeMs: number,
): ResolvedTime | undefined {
  const ranges = rangesOf(timeline);
  const next = points.find((point) => point.timeMs > timeMs);
  const found = points.findLast((point) => point.timeMs <= timeMs && isRestorable(ranges, point.revision));
  if (found === undefined) return undefined;
  const gap = gapsOf(timeline, ranges).find(
    ({ after }) => after >= found.revision && after < (next?.revision ?? Infinity),
  );
  if (gap !== undefined) throw insideGap(gap, found, timeMs, all);
  const resolved = { timeline: timeline.timeline, revision: found.revision, observedMs: found.timeMs };
  if (next === undefined || next.kind === 'seen') return resolved;
  return { ...resolved, uncertainTo: { revision: next.revision, timeMs: next.timeMs } };
}

/**
 * A time between the last known one before a gap and the first one behind it is the time of a state that nobody captured.
 * It is not quietly turned into the state before the gap: the operator decides.
 */
function insideGap(gap: Gap, found: TimePoint, timeMs: number, all: readonly TimelineInventory[]): EtcdOpsError {
  const behind = gap.before === undefined ? '' : `, or for revision ${gap.before}, the first behind it`;
  const message = `The state of ${iso(timeMs)} was not captured: ${describeGap(gap)}`;
  const reached = gap.after === found.revision ? `, reached at ${iso(found.timeMs)}` : '';
  return timeNotRestorable(`${message}. Ask for revision ${gap.after}${reached}${behind}`, all, iso(timeMs));
}

function isRestorable(ranges: readonly RestorableRange[], revision: number): boolean {
  return ranges.some(({ from, to }) => from <= revision && revision <= to);
}

/**
 * The known times of a timeline by ascending revision, never falling: writers on several machines have several clocks, and
 * a revision is surely not later than T only when none before it is.
 */
function timePoints(timeline: TimelineInventory, seen: readonly ObservedTime[]): TimePoint[] {
  const points: TimePoint[] = [
    ...seen.map(({ revision, observedMs }) => ({ revision, timeMs: observedMs, kind: 'seen' as const })),
    ...timeline.deltas
      .filter(({ lastObservedMs }) => lastObservedMs > 0)
      .map(({ last, lastObservedMs }) => ({ revision: last, timeMs: lastObservedMs, kind: 'end' as const })),
    ...timeline.fulls.map((full) => ({ revision: full.revision, timeMs: reachedMsOf(full), kind: 'file' as const })),
  ];
  // A stable sort: of points with one revision and time, the one that tells most stays first.
  points.sort((left, right) => left.revision - right.revision || left.timeMs - right.timeMs);
  const known: TimePoint[] = [];
  let latest = 0;
  for (const point of points) {
    if (known.at(-1)?.revision === point.revision) continue;
    latest = Math.max(latest, point.timeMs);
    known.push({ ...point, timeMs: latest });
  }
  return known;
}

function iso(timeMs: number): string {
  return Number.isFinite(timeMs) && Math.abs(timeMs) <= 8.64e15 ? new Date(timeMs).toISOString() : String(timeMs);
}
