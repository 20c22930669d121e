import { EtcdOpsError } from '../base/errors.ts';
import { decryptBuffer, encryptBuffer } from '../encryption/age-buffer.ts';
import { AGE_HEADER_BYTES_MAX } from '../encryption/age-header.ts';
import type { Identities } from '../encryption/identities.ts';
import { leaseObjectKey } from '../repository/object-key.ts';
import { encryptionOfPacking, type Packing } from '../repository/packing.ts';
import type { LeaseEntry } from '../repository/inventory.ts';
import { blaming } from '../restore/damaged-object.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { decodeLeaseObject, encodeLeaseObject, LEASE_OBJECT_BYTES_MAX, leaseObjectTag } from './lease-object.ts';
import type { LeaseObject } from './lease-object.ts';

/** An age file is a little longer than what is in it. */
const STORED_BYTES_MAX = LEASE_OBJECT_BYTES_MAX + LEASE_OBJECT_BYTES_MAX / 1024 + 2 * AGE_HEADER_BYTES_MAX;
const READS_PARALLEL = 16;

/** The name of a lease object: the same facts have the same one, so that of two writers each finds the other's. */
export function nameOfLeases(cluster: string, object: LeaseObject, packing: Packing): string {
  const { timeline, revision, observedMs } = object;
  const tag = leaseObjectTag(object);
  return leaseObjectKey({ cluster, timeline, revision, observedMs, tag, ...encryptionOfPacking(packing) });
}

/**
 * Stores lease records, once: what lies there already under the name, which tells the content, is the same. One in clear that is damaged
 * is refused rather than believed.
 * @throws EtcdOpsError OBJECT_DAMAGED, STORE_..., CANCELLED.
 */
export async function putLeases(
  store: ObjectStore,
  key: string,
  object: LeaseObject,
  { packing, signal }: { packing: Packing; signal?: AbortSignal | undefined },
): Promise<{ outcome: 'created' | 'equal'; storedBytes: number }> {
  const { codec, compressionLevel, recipients } = packing;
  const plain = encodeLeaseObject(object, codec, compressionLevel);
  const stored = recipients === undefined ? plain : await encryptBuffer(plain, recipients);
  const cancel = signal === undefined ? {} : { signal };
  if ((await store.put(key, stored, { ifAbsent: true, ...cancel })) === 'created') {
    return { outcome: 'created', storedBytes: stored.length };
  }
  if (recipients === undefined) {
    await blaming(key, async () => {
      decodeLeaseObject(await store.get(key, { bytesMax: STORED_BYTES_MAX, ...cancel }));
    });
  }
  return { outcome: 'equal', storedBytes: stored.length };
}

/**
 * Reads and checks a lease object.
 * @throws DamagedObjectError naming it; EtcdOpsError IDENTITY_MISSING, STORE_..., CANCELLED.
 */
export async function readStoredLeases(
  store: ObjectStore,
  entry: LeaseEntry,
  { identities, signal }: { identities?: Identities | undefined; signal?: AbortSignal | undefined } = {},
): Promise<LeaseObject> {
  return await blaming(entry.key, async () => {
    const cancel = signal === undefined ? {} : { signal };
    const stored = await store.get(entry.key, { bytesMax: STORED_BYTES_MAX, ...cancel });
    const plain = entry.encryption === undefined ? stored : await decryptBuffer(entry.key, stored, identities);
    const object = decodeLeaseObject(plain);
    const { timeline, revision, observedMs } = object;
    if (timeline !== entry.timeline || revision !== entry.revision || observedMs !== entry.observedMs) {
      throw new EtcdOpsError('OBJECT_DAMAGED', { message: 'It is what belongs under another name' });
    }
    return object;
  });
}

/** Reads several, some at a time, and gives them in their order; what cannot be used goes to `onError` and is left out. */
export async function readAllLeases(
  store: ObjectStore,
  entries: readonly LeaseEntry[],
  options: {
    identities?: Identities | undefined;
    signal?: AbortSignal | undefined;
    /** Throws what must end the reading. */
    onError: (entry: LeaseEntry, error: unknown) => void;
  },
): Promise<LeaseObject[]> {
  const found: (LeaseObject | undefined)[] = [];
  const queue = entries.entries();
  const worker = async (): Promise<void> => {
    for (const [index, entry] of queue) {
      try {
        found[index] = await readStoredLeases(store, entry, options);
      } catch (error) {
        options.onError(entry, error);
      }
    }
  };
  const outcomes = await Promise.allSettled(Array.from({ length: READS_PARALLEL }, worker));
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  return found.filter((object) => object !== undefined);
}
