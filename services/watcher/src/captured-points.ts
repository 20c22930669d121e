import { positionKey, positions, type Bus, type ClusterSpec, type LastEvent } from '@etcd-ops/bus';
import { headOf, readInventory } from '@etcd-ops/core';
import type { ServiceContext } from '@etcd-ops/service-kit';
import type { CapturedPoint, RepositoryPoint } from './resume-point.ts';

const DELTAS_MEASURED_MAX = 100;

/** What the stream's last event ends at. */
export function pointOfEvent(event: LastEvent): CapturedPoint {
  const { timeline, last, digest, clusterId } = event;
  return { timeline, revision: last, digest, clusterId };
}

/** How far the uploader made the cluster's events durable. */
export async function readDurablePoint(
  bus: Bus,
  cluster: string,
): Promise<(CapturedPoint & { sequence: number }) | undefined> {
  const position = (await positions(bus).get(positionKey(cluster)))?.value;
  if (position === undefined) return undefined;
  const { timeline, revision, digest, sequence } = position;
  return { timeline, revision, digest, clusterId: undefined, sequence };
}

/** The end of the repository's newest contiguous chain. */
export async function readRepositoryPoint(
  context: ServiceContext,
  spec: ClusterSpec,
): Promise<RepositoryPoint | undefined> {
  const store = await context.openStore(spec.store);
  const inventory = await readInventory(store, spec.name);
  const head = await headOf(store, inventory);
  if (head === undefined) return undefined;
  const { timeline, revision, digest, clusterId, newestTimeline } = head;
  const hasFull = inventory.timelines.some((found) => found.timeline === timeline && found.fulls.length > 0);
  const deltas = inventory.timelines.find((found) => found.timeline === timeline)?.deltas ?? [];
  const endsInDelta = deltas.some(({ last }) => last === revision);
  const revisionBytes = meanRevisionBytes(deltas);
  const facts = { timeline, revision, digest, clusterId, newestTimeline, hasFull, endsInDelta };
  return revisionBytes === undefined ? facts : { ...facts, revisionBytes };
}

/** Of the newest deltas; undefined when there are none. */
export function meanRevisionBytes(
  deltas: readonly { first: number; last: number; bytes: number }[],
): number | undefined {
  const newest = deltas.slice(-DELTAS_MEASURED_MAX);
  const revisions = newest.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  const bytes = newest.reduce((sum, delta) => sum + delta.bytes, 0);
  return revisions === 0 ? undefined : bytes / revisions;
}
