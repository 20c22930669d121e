import { createHash } from 'node:crypto';

/** Places of clusters, by their names: asked for at each look at each clock. */
const places = new Map<string, number>();
const PLACES_MAX = 10_000;

/** No cluster waits longer than this share of its period: a tick must be over before the next one. */
const PERIOD_SHARE_MAX = 0.5;

/**
 * How long after its tick a cluster's task is asked for, so that a fleet on one schedule does not come all at once.
 * Follows from the name alone: every scheduler spreads alike, and a cluster keeps its place. A lone cluster never waits.
 */
export function jitterMs(
  cluster: string,
  options: { clusters: number; jitterMsMax: number; periodMs: number },
): number {
  if (options.clusters <= 1) return 0;
  const rangeMs = Math.min(options.jitterMsMax, options.periodMs * PERIOD_SHARE_MAX);
  return Math.floor(placeOf(cluster) * rangeMs);
}

/** Between 0 and 1. */
function placeOf(cluster: string): number {
  const known = places.get(cluster);
  if (known !== undefined) return known;
  const place = createHash('sha256').update(cluster).digest().readUInt32BE(0) / 2 ** 32;
  if (places.size >= PLACES_MAX) places.clear();
  places.set(cluster, place);
  return place;
}
