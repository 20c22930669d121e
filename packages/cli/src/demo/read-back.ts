import { createHash } from 'node:crypto';
import { decodeDelta, EtcdOpsError, LocalStore, readInventory } from '@etcd-ops/core';
import { DEMO_CLUSTER } from './stage.ts';

export interface StoreFacts {
  fulls: number;
  deltas: number;
  bytes: number;
  rows: number;
}

/**
 * Reads every object of the repository and checks each against its own checksums.
 * @throws EtcdOpsError naming the first that is damaged.
 */
export async function readBackStore(bucket: string): Promise<StoreFacts> {
  const store = new LocalStore(bucket);
  const inventory = await readInventory(store, DEMO_CLUSTER);
  const facts: StoreFacts = { fulls: 0, deltas: 0, bytes: 0, rows: 0 };
  for (const { fulls, deltas } of inventory.timelines) {
    for (const full of fulls) {
      const hash = createHash('sha256');
      for await (const chunk of store.stream(full.key)) hash.update(chunk);
      if (hash.digest('hex') !== full.manifest.storedSha256) {
        throw new EtcdOpsError('OBJECT_DAMAGED', { message: `${full.key} is not what its manifest says` });
      }
      facts.fulls++;
      facts.bytes += full.bytes;
    }
    for (const delta of deltas) {
      const { facts: found } = await decodeDelta(await store.get(delta.key)).catch((cause: unknown) => {
        throw new EtcdOpsError('DELTA_DAMAGED', { message: `${delta.key} is damaged`, cause });
      });
      facts.deltas++;
      facts.bytes += delta.bytes;
      facts.rows += found.rowCount;
    }
  }
  return facts;
}
