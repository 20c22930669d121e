import type { Revision } from '../mvcc/revision.ts';
import { isOfCluster } from '../repository/full-origin.ts';
import { reachedMsOf, seenMsOf } from '../repository/full-times.ts';
import type { FullEntry, Inventory, TimelineInventory } from '../repository/inventory.ts';
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
  /** Revisions a second that were allowed for. */
  ratePerSecond: number;
  /** Nothing that was captured can have come faster than what is assumed of every cluster. */
  rateIsAssumed: boolean;
  /** How long the cluster may have gone on unseen. */
  lagMs: number;
  /** All of it in one sentence. */
  explanation: string;
}

const LAG_MS_MIN = 60_000;
/**
 * More than an etcd on common hardware writes. What a cluster did while it was watched says nothing about what it did unseen, and revisions
 * cost nothing: a watcher that is not told that its view is void costs the cluster (etcd#16028).
 */
const RATE_ASSUMED = 50_000;
/** No etcd does that: what names show beyond it are clocks that differ, or a backlog that was captured at once. */
const RATE_TOP = 1_000_000;
const SECOND_MS = 1000;
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
 * rate times that time. Merging deltas never lowers it. Pure.
 */
export function planSafeBump(inventory: Inventory, options: SafeBumpOptions): SafeBump {
  const points = inventory.timelines.map(pointsOf);
  const begins = inventory.timelines.flatMap(beginOf);
  const asked: Point = { revision: options.revision, timeMs: 0 };
  const all: Point[] = [...points.flat(), ...begins, ...unusablePoints(inventory), asked];
  const highest = all.reduce((best, point) => {
    const isHigher = point.revision > best.revision || (point.revision === best.revision && point.timeMs > best.timeMs);
    return isHigher ? point : best;
  });
  const latestMs = latestOf(all.map(({ timeMs }) => timeMs));
  const densest = inventory.timelines.reduce((most, found, at) => Math.max(most, densestSecond(found, points[at]!)), 0);
  const rateIsAssumed = densest <= RATE_ASSUMED;
  const ratePerSecond = rateIsAssumed ? RATE_ASSUMED : Math.min(densest, RATE_TOP);
  // Nobody knows when the cluster was seen for what is there; that was before it was made.
  const madeMs = latestOf(inventory.timelines.flatMap(({ fulls }) => fulls.map(reachedMsOf)));
  const unseenMs = DAY_MS + (madeMs === 0 ? 0 : Math.max(0, options.nowMs - madeMs));
  const lagMs = Math.max(options.lagMsMin ?? LAG_MS_MIN, latestMs === 0 ? unseenMs : options.nowMs - latestMs);
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
    ? `${bump.ratePerSecond} revisions a second are assumed, more than an etcd writes and than anything captured shows`
    : `${bump.ratePerSecond} revisions a second are allowed for, since names do not tell how fast revisions came in between`;
  const lag =
    latestMs === 0
      ? `no time of a capture is known, so it is assumed to be ${Math.ceil(bump.lagMs / 1000)} s ago, a day more than the newest full is old`
      : `the last capture was seen at ${new Date(latestMs).toISOString()}, ${Math.ceil(bump.lagMs / 1000)} s before the latest possible end of the old cluster`;
  return `Revision ${bump.highestCaptured} is the highest that was ever captured; ${rate}; ${lag}. Twice that many revisions above it, no watcher can have passed ${bump.revision}: bumped by ${bump.by}.`;
}

/** What names and manifests tell: revisions, and when the cluster was seen at each. */
function pointsOf(timeline: TimelineInventory): Point[] {
  const points = [
    ...timeline.fulls.map((full) => ({ revision: full.revision, timeMs: sightMsOf(full) })),
    ...timeline.deltas.map(({ last, lastObservedMs }) => ({ revision: last, timeMs: lastObservedMs })),
  ];
  return points.sort((left, right) => left.revision - right.revision || left.timeMs - right.timeMs);
}

/** 0: unknown. Other tools compact, too, and give what comes of it the time of the making. */
function sightMsOf(full: FullEntry): number {
  const isSight = isOfCluster(full) || full.manifest.seenAt !== undefined;
  return isSight ? (seenMsOf(full) ?? 0) : 0;
}

/** An import dates the beginning by its files. */
function beginOf({ record, fulls }: TimelineInventory): Point[] {
  const isCaptured = fulls.every(({ manifest }) => manifest.cause !== 'import');
  return record === undefined || !isCaptured
    ? []
    : [{ revision: record.startedAtRevision, timeMs: Date.parse(record.startedAt) }];
}

function latestOf(timesMs: readonly number[]): number {
  return timesMs.reduce((latest, timeMs) => Math.max(latest, timeMs), 0);
}

/** An object that cannot be used has still seen its revision; of a full, only the manifest tells whether it was made of others. */
function unusablePoints({ incomplete, damaged }: Inventory): Point[] {
  return [...incomplete, ...damaged].flatMap(({ key }): Point[] => {
    const parsed = parseObjectKey(key);
    if (parsed?.kind === 'delta') return [{ revision: parsed.last, timeMs: parsed.lastObservedMs }];
    return parsed?.kind === 'full' || parsed?.kind === 'manifest' ? [{ revision: parsed.revision, timeMs: 0 }] : [];
  });
}

/**
 * The most revisions that can have come within one second. A name tells when its last revision had been seen, not how those before it were
 * spread: any of them may have come at any moment since the name before. Merging forgets names, so it can only raise this.
 * @param points of the timeline, by revision.
 */
function densestSecond({ fulls, deltas }: TimelineInventory, points: readonly Point[]): number {
  const lowest = Math.min(fulls[0]?.revision ?? Infinity, (deltas[0]?.first ?? Infinity) - 1);
  const known: Point[] = [{ revision: lowest, timeMs: 0 }];
  for (const { revision, timeMs } of points) {
    // Writers have several clocks: what comes later was not seen earlier.
    if (timeMs > 0) known.push({ revision, timeMs: Math.max(timeMs, known.at(-1)!.timeMs) });
  }
  let most = 0;
  for (let from = 1, to = 1; from < known.length; from++) {
    // The second that begins when the last one of `from` was seen: it meets every name up to the first that is a second later.
    to = Math.max(to, from);
    while (to + 1 < known.length && known[to]!.timeMs < known[from]!.timeMs + SECOND_MS) to++;
    most = Math.max(most, known[to]!.revision - known[from - 1]!.revision);
  }
  return most;
}
