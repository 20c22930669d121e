import {
  clusterKey,
  lastDone,
  lastDoneKey,
  owners,
  positionKey,
  positions,
  streamFacts,
  TASK_KINDS,
  type Bus,
  type StatusAnswer,
} from '@etcd-ops/bus';
import { isEtcdOpsError } from '@etcd-ops/core';

type ClusterStatus = StatusAnswer['clusters'][number];

/** What the bus knows of clusters: a cluster of which something cannot be read is told without it. */
export async function readStatus(bus: Bus, clusters: readonly string[]): Promise<ClusterStatus[]> {
  const statuses: ClusterStatus[] = [];
  for (const cluster of clusters) statuses.push(await readOne(bus, cluster));
  return statuses;
}

async function readOne(bus: Bus, cluster: string): Promise<ClusterStatus> {
  const [owner, position, events, last] = await Promise.all([
    readable(owners(bus).get(clusterKey(cluster))),
    readable(positions(bus).get(positionKey(cluster))),
    readable(streamFacts(bus, cluster)),
    Promise.all(
      TASK_KINDS.map(
        async (kind) => [kind, (await readable(lastDone(bus).get(lastDoneKey(kind, cluster))))?.value] as const,
      ),
    ),
  ]);
  return {
    cluster,
    ...(owner === undefined ? {} : { owner: owner.value }),
    ...(position === undefined ? {} : { position: position.value }),
    ...(events === undefined
      ? {}
      : { events: { messages: events.messages, bytes: events.bytes, lastSequence: events.lastSequence } }),
    last: Object.fromEntries(last.flatMap(([kind, done]) => (done === undefined ? [] : [[kind, done]]))),
  };
}

/** No stream yet, or a document of another version: nothing that a status should fail for. */
async function readable<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (isEtcdOpsError(error, 'BUS_FAILED') || isEtcdOpsError(error, 'BUS_MESSAGE_INVALID')) return undefined;
    throw error;
  }
}
