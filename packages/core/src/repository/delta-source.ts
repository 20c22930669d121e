import { DELTA_TAIL_BYTES } from '../delta/delta-format.ts';
import { readDeltaFooter, type DeltaFooter } from '../delta/delta-footer.ts';
import type { DeltaSource } from '../delta/delta-reader.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type { DeltaEntry } from './inventory.ts';

/** A delta in a store, read by ranges. */
export function storedDeltaSource(
  store: ObjectStore,
  delta: Pick<DeltaEntry, 'key' | 'bytes'>,
  signal?: AbortSignal,
): DeltaSource {
  return {
    bytes: delta.bytes,
    read: async (offset, length) =>
      await store.get(delta.key, { offset, length, bytesMax: length, ...(signal === undefined ? {} : { signal }) }),
  };
}

/**
 * The footer of a stored delta, with one ranged read.
 * @throws EtcdOpsError DELTA_DAMAGED, and STORE_NOT_FOUND when it has gone.
 */
export async function readStoredFooter(
  store: ObjectStore,
  delta: Pick<DeltaEntry, 'key' | 'bytes'>,
  signal?: AbortSignal,
): Promise<DeltaFooter> {
  const source = storedDeltaSource(store, delta, signal);
  const offset = Math.max(0, delta.bytes - DELTA_TAIL_BYTES);
  return readDeltaFooter(await source.read(offset, delta.bytes - offset), delta.bytes);
}
