import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { LocalStore, type Codec } from '@etcd-ops/core';
import { faultyStore, hardLoad, startEtcd, type FaultyStore, type StoreFault } from '@etcd-ops/test-kit';
import { putDeltas, putFull } from './recorded-history.ts';

/** Two snapshots of one etcd, with a compaction before the first and much of everything between them. */
export interface RecordedSnapshots {
  version: string;
  first: string;
  second: string;
}

/** Leaves `s1.db` and `s2.db` in the directory. Leases that run out are part of it; the etcd is gone when it resolves. */
export async function recordSnapshots(directory: string): Promise<RecordedSnapshots> {
  await mkdir(directory, { recursive: true });
  const [first, second] = [join(directory, 's1.db'), join(directory, 's2.db')];
  await using etcd = await startEtcd({});
  const load = { endpoints: etcd.endpoints, valueBytesMax: 100_000, without: ['compact'] } as const;
  const { revision } = await hardLoad({ ...load, seed: 20, operations: 200 });
  await etcd.etcdctl('compact', String(revision - 20), '--physical');
  await hardLoad({ ...load, seed: 21, operations: 200 });
  await etcd.etcdctl('snapshot', 'save', first);
  await hardLoad({ ...load, seed: 22, operations: 500 });
  await etcd.etcdctl('snapshot', 'save', second);
  return { version: etcd.version, first, second };
}

/** A repository of the first snapshot and the deltas up to the second; returns the first one's revision. */
export async function storeChain(
  bucket: string,
  snapshots: RecordedSnapshots,
  options: { codec?: Codec; revisionsEach?: number } = {},
): Promise<{ store: LocalStore; after: number; deltaKeys: string[] }> {
  const { codec = 'none', revisionsEach = 150 } = options;
  const store = new LocalStore(bucket);
  const after = await putFull(store, snapshots.first, { etcdVersion: snapshots.version, codec });
  const deltaKeys = await putDeltas(store, snapshots.second, { after, revisionsEach, overlap: 2, codec });
  return { store, after, deltaKeys };
}

/** The same store as one far away: it has no local files, and may fail. */
export function remoteStore(store: LocalStore, faults: StoreFault[] = []): FaultyStore {
  const remote = faultyStore(store, faults);
  delete remote.localPath;
  return remote;
}
