import type { FullEntry, TimelineInventory } from './inventory.ts';

type TimedFull = Pick<FullEntry, 'createdAtMs' | 'manifest'>;

/** When the last revision of a full had surely been reached: every row of it is at least as old. */
export function reachedMsOf({ createdAtMs, manifest }: TimedFull): number {
  return manifest.seenAt === undefined ? createdAtMs : Date.parse(manifest.seenAt);
}

/**
 * When the cluster was last seen for this full. Undefined when that was at an unknown time before it was made: a stale full is of a member
 * that the cluster had perhaps left behind long ago, and older versions of `compact` did not record the time of their sources.
 */
export function seenMsOf(full: TimedFull): number | undefined {
  const { manifest } = full;
  if (manifest.seenAt !== undefined) return Date.parse(manifest.seenAt);
  return manifest.stale === true || manifest.cause === 'compact' ? undefined : full.createdAtMs;
}

/**
 * A time at which the cluster was surely seen, at the revision of a full or below it: that of the full itself, else the newest one known of
 * what lies below it in the timeline. Undefined: none is known.
 */
export function seenMsAtOrBelow(
  full: FullEntry,
  { fulls, deltas }: Pick<TimelineInventory, 'fulls' | 'deltas'>,
): number | undefined {
  const own = seenMsOf(full);
  if (own !== undefined) return own;
  const below = [
    ...fulls.filter(({ revision }) => revision <= full.revision).map((other) => seenMsOf(other) ?? 0),
    ...deltas.filter(({ last }) => last <= full.revision).map(({ lastObservedMs }) => lastObservedMs),
  ];
  const newest = below.reduce((latest, timeMs) => Math.max(latest, timeMs), 0);
  return newest === 0 ? undefined : newest;
}

/**
 * `seenAt` of what is made of a full and the deltas that lead on from it. Undefined: no time of its last revision is known, and the new
 * full must not claim one.
 */
export function seenMsOfSources(full: TimedFull, deltas: readonly { lastObservedMs: number }[]): number | undefined {
  const own = seenMsOf(full);
  const last = deltas.at(-1);
  if (last === undefined) return own;
  return last.lastObservedMs === 0 ? undefined : Math.max(last.lastObservedMs, own ?? 0);
}
