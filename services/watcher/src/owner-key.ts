import { clusterKey, owners, type Bus, type CaptureFacts, type Owner } from '@etcd-ops/bus';
import type { OwnerKey } from './ownership.ts';

/** A cluster's key in the bucket of owners, as this watcher uses it. */
export function createOwnerKey(options: {
  bus: Bus;
  cluster: string;
  watcher: string;
  now: () => number;
  /** What each renewal tells of the capture. */
  facts?: () => CaptureFacts | undefined;
  /** The key of somebody who is gone, which is replaced as long as it stands so. */
  abandoned?: () => { revision: number } | undefined;
}): OwnerKey {
  const { bus, watcher, now, facts = () => undefined, abandoned = () => undefined } = options;
  const bucket = owners(bus);
  const key = clusterKey(options.cluster);
  const value: Owner = { version: 1, watcher, since: new Date(now()).toISOString() };
  const renewed = (): Owner => {
    const capture = facts();
    return capture === undefined ? value : { ...value, capture };
  };
  return {
    async create() {
      const left = abandoned();
      const taken = left === undefined ? undefined : await bucket.update(key, value, left.revision);
      if (taken !== undefined) return taken;
      const created = await bucket.create(key, value);
      if (created !== undefined) return created;
      // A renewal whose answer was lost: the key is ours at a revision that we do not know.
      const held = await bucket.get(key);
      return held?.value.watcher === watcher ? held.revision : undefined;
    },
    renew: (revision) => bucket.update(key, renewed(), revision),
    async release(revision) {
      await bucket.delete(key, revision);
    },
  };
}
