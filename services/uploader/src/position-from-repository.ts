import { connectStream, type Bus } from '@etcd-ops/bus';
import {
  headOf,
  readInventory,
  readDeltaEnd,
  type DeltaEntry,
  type ObjectStore,
  type RepositoryHead,
} from '@etcd-ops/core';
import type { CutPosition } from './delta-cutter.ts';

/**
 * Where to go on cutting when the bus knows no position: it lost its state, or nothing was cut yet. The repository knows how far it
 * reaches, and what the stream still holds of that is clipped. But only deltas count as long as the stream holds what follows them: a
 * full that was faster than the first delta holds the state of its revisions, and not the history that was captured.
 * undefined: nothing is known but the stream.
 */
export async function positionFromRepository({
  bus,
  store,
  cluster,
  signal,
}: {
  bus: Bus;
  store: ObjectStore;
  cluster: string;
  signal: AbortSignal;
}): Promise<CutPosition | undefined> {
  const inventory = await readInventory(store, cluster, { signal });
  const head = await headOf(store, inventory, { signal });
  if (head === undefined) return undefined;
  const deltas = inventory.timelines.find(({ timeline }) => timeline === head.timeline)?.deltas ?? [];
  const atHead = { timeline: head.timeline, revision: head.revision, digest: head.digest, sequence: 0 };
  const last = farthest(deltas);
  if (last !== undefined && last.last >= head.revision) return atHead;
  const { first } = await connectStream(bus, cluster, head, { signal });
  // A start tells by itself what its rows hang on; rows count from the first one that there is.
  const from = first?.kind === 'start' ? 0 : (first?.first ?? Infinity) - 1;
  if (first === undefined || from > head.revision || (from > 0 && first.timeline !== head.timeline)) return atHead;
  if (from > (last?.last ?? 0)) return { ...atHead, revision: from, digest: null };
  return last === undefined ? undefined : await endOf(last, { store, head, signal });
}

async function endOf(
  delta: DeltaEntry,
  { store, head, signal }: { store: ObjectStore; head: RepositoryHead; signal: AbortSignal },
): Promise<CutPosition> {
  const { lastRevisionDigest } = await readDeltaEnd(store, delta, signal);
  return { timeline: head.timeline, revision: delta.last, digest: lastRevisionDigest, sequence: 0 };
}

function farthest(deltas: readonly DeltaEntry[]): DeltaEntry | undefined {
  return deltas.reduce<DeltaEntry | undefined>(
    (best, delta) => (best === undefined || delta.last > best.last ? delta : best),
    undefined,
  );
}
