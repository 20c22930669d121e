import type { Revision } from '../mvcc/revision.ts';
import type { Inventory, TimelineInventory } from '../repository/inventory.ts';
import { parseObjectKey } from '../repository/object-key.ts';

export interface SafeBumpOptions {
  /** The revision that is restored. */
  revision: Revision;
  nowMs: number;
  /** The cluster may have gone on for at least so long after the last capture; a minute unless told. */
  lagMsMin?: number | undefined;
}

/** How far to bump so that no watcher can have passed it, and why. */
export interface SafeBump {
  /** For `bumpRevision`. */
  by: number;
  /** The bumped revision. */
  revision: Revision;
  /** The highest revision that any object of any timeline holds. */
  highestCaptured: Revision;
  /** When it had been seen; undefined when no time is known. */
  highestCapturedMs: number | undefined;
  /** Revisions a second that were allowed for: the most that was ever seen, or an assumption. */
  ratePerSecond: number;
  rateIsAssumed: boolean;
  /** How long the cluster may have gone on unseen. */
  lagMs: number;
  /** All of it in one sentence. */
  explanation: string;
}

const LAG_MS_MIN = 60_000;
/** Points nearer to each other say nothing about a rate. */
const SPAN_MS_MIN = 1000;
/** Slower clusters could have been fast for once, in between. */
const RATE_MIN = 1000;
/** When no rate is known: more than an etcd on common hardware writes. */
const RATE_ASSUMED = 50_000;
/** What was written between two captures may have come in bursts. */
const SAFETY_FACTOR = 2;
/** A round number is easily recognised in a log. */
const ROUND_TO = 1000;
const TOP = Number.MAX_SAFE_INTEGER - ROUND_TO;

interface Point {
  revision: Revision;
  /** 0: unknown. */
  timeMs: number;
}

/**
 * Computes a bump from what was captured. Watchers of the old cluster can have seen revisions that nobody captured: those
 * between the last capture and the cluster's end, which was at the latest now. They cannot be more than the highest
 * rate times that time. Pure.
 */
export function planSafeBump(inventory: Inventory, options: SafeBumpOptions): SafeBump {
  const points = inventory.timelines.map(pointsOf);
  const all: Point[] = [...points.flat(), ...unusablePoints(inventory), { revision: options.revision, timeMs: 0 }];
  const highest = all.reduce((best, point) => (point.revision > best.revision ? point : best));
  const latestMs = all.reduce((latest, { timeMs }) => Math.max(latest, timeMs), 0);
  const observed = Math.max(0, ...points.map(highestRate));
  const rateIsAssumed = observed === 0;
  const ratePerSecond = rateIsAssumed ? RATE_ASSUMED : Math.max(Math.ceil(observed), RATE_MIN);
  // With no time at all, any age is possible: what can be said is how far the assumption reaches.
  const lagMs = Math.max(options.lagMsMin ?? LAG_MS_MIN, latestMs === 0 ? DAY_MS : options.nowMs - latestMs);
  const ahead = Math.ceil(SAFETY_FACTOR * ratePerSecond * (lagMs / 1000));
  const revision = Math.min(Math.ceil((highest.revision + ahead + 1) / ROUND_TO) * ROUND_TO, TOP);
  const facts = {
    by: revision - options.revision,
    revision,
    highestCaptured: highest.revision,
    highestCapturedMs: highest.timeMs === 0 ? undefined : highest.timeMs,
    ratePerSecond,
    rateIsAssumed,
    lagMs,
  };
  return { ...facts, explanation: explain(facts, latestMs) };
}

const DAY_MS = 86_400_000;

function explain(bump: Omit<SafeBump, 'explanation'>, latestMs: number): string {
  const rate = bump.rateIsAssumed
    ? `no rate of writing is known, so ${bump.ratePerSecond} revisions a second are assumed`
    : `at most ${bump.ratePerSecond} revisions a second are allowed for, the most that was captured or ${RATE_MIN}`;
  const lag =
    latestMs === 0
      ? 'no time of a capture is known, so a day is assumed to have passed since'
      : `the last capture was seen at ${new Date(latestMs).toISOString()}, ${Math.ceil(bump.lagMs / 1000)} s before the latest possible end of the old cluster`;
  return `Revision ${bump.highestCaptured} is the highest that was ever captured; ${rate}; ${lag}. Twice that many revisions above it, no watcher can have passed ${bump.revision}: bumped by ${bump.by}.`;
}

/** What names tell: revisions, and when each had been seen. */
function pointsOf(timeline: TimelineInventory): Point[] {
  const points = [
    ...timeline.fulls.map(({ revision, createdAtMs }) => ({ revision, timeMs: createdAtMs })),
    ...timeline.deltas.map(({ last, lastObservedMs }) => ({ revision: last, timeMs: lastObservedMs })),
  ];
  return points.sort((left, right) => left.timeMs - right.timeMs || left.revision - right.revision);
}

/** An object that cannot be used has still seen its revision. */
function unusablePoints({ incomplete, damaged }: Inventory): Point[] {
  return [...incomplete, ...damaged].flatMap(({ key }): Point[] => {
    const parsed = parseObjectKey(key);
    if (parsed?.kind === 'delta') return [{ revision: parsed.last, timeMs: parsed.lastObservedMs }];
    if (parsed?.kind !== 'full' && parsed?.kind !== 'manifest') return [];
    return [{ revision: parsed.revision, timeMs: parsed.createdAtMs }];
  });
}

/** Revisions a second between any two points that follow each other at a distance. */
function highestRate(points: readonly Point[]): number {
  let highest = 0;
  let from: Point | undefined;
  for (const point of points) {
    if (point.timeMs === 0) continue;
    if (from === undefined) {
      from = point;
      continue;
    }
    const spanMs = point.timeMs - from.timeMs;
    if (spanMs < SPAN_MS_MIN) continue;
    highest = Math.max(highest, ((point.revision - from.revision) * 1000) / spanMs);
    from = point;
  }
  return highest;
}
