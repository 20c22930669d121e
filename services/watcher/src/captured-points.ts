import { isAlarming, positionKey, positions, readEvents, type Bus, type ClusterSpec, type LastEvent } from '@etcd-ops/bus';
import { repositoryHead, scanKeyValue } from '@etcd-ops/core';
import type { ServiceContext } from '@etcd-ops/service-kit';
import type { CaptureVoice } from './metrics.ts';
import type { CapturedPoint } from './resume-point.ts';

/** What the stream's last event ends at. */
export function pointOfEvent(event: LastEvent): CapturedPoint {
  const { timeline, last, digest, clusterId } = event;
  return { timeline, revision: last, digest, clusterId };
}

/** How far the uploader made the cluster's events durable. */
export async function readDurablePoint(bus: Bus, cluster: string): Promise<CapturedPoint | undefined> {
  const position = (await positions(bus).get(positionKey(cluster)))?.value;
  if (position === undefined) return undefined;
  const { timeline, revision, digest } = position;
  return { timeline, revision, digest, clusterId: undefined };
}

/** The end of the repository's newest contiguous chain. */
export async function readRepositoryPoint(context: ServiceContext, spec: ClusterSpec): Promise<CapturedPoint | undefined> {
  const head = await repositoryHead(await context.openStore(spec.store), spec.name);
  if (head === undefined) return undefined;
  const { timeline, revision, digest, clusterId } = head;
  return { timeline, revision, digest, clusterId };
}

/**
 * The leases that the stream's last event names. The answers to questions about them may have died with the watcher that asked:
 * one message is in flight at a time, so they are the only ones.
 */
export async function leasesOfEvent(bus: Bus, event: LastEvent, voice: CaptureVoice): Promise<Set<bigint>> {
  const leases = new Set<bigint>();
  if (event.rowCount === 0) return leases;
  const range = { from: event.sequence - event.parts + 1, to: event.sequence };
  const onSkipped = (skipped: Parameters<typeof isAlarming>[0]): void => {
    if (isAlarming(skipped)) voice.logger.warn({ skipped }, 'The last event of the stream cannot be read again');
  };
  for await (const { rows } of readEvents(bus, voice.cluster, { ...range, onSkipped })) {
    for (let row = 0; row < (rows?.rowCount ?? 0); row++) {
      if (rows!.isTombstone(row)) continue;
      const { lease } = scanKeyValue(rows!.value(row));
      if (lease !== 0n) leases.add(lease);
    }
  }
  return leases;
}
