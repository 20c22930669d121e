import { readSourceFacts, openAgeSource, type ByteSource } from '../encryption/age-source.ts';
import type { Identities } from '../encryption/identities.ts';
import { EtcdOpsError } from '../base/errors.ts';
import { DELTA_TAIL_BYTES } from '../delta/delta-format.ts';
import { readDeltaFooter } from '../delta/delta-footer.ts';
import { DeltaReader, type DeltaSource } from '../delta/delta-reader.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type { DeltaEntry } from './inventory.ts';

export interface OpenDeltaOptions {
  /** What opens encrypted deltas; not needed for others. */
  identities?: Identities | undefined;
  signal?: AbortSignal | undefined;
}

type StoredDelta = Pick<DeltaEntry, 'key' | 'bytes' | 'encryption'>;

/** The stored bytes of a delta, read by ranges: an encrypted one's are those of an age file. */
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
 * The plain bytes of a stored delta, read by ranges.
 * @throws EtcdOpsError IDENTITY_MISSING naming it, OBJECT_DAMAGED, and what the store throws.
 */
export async function plainDeltaSource(
  store: ObjectStore,
  delta: StoredDelta,
  { identities, signal }: OpenDeltaOptions = {},
): Promise<DeltaSource> {
  const source = storedDeltaSource(store, delta, signal);
  return delta.encryption === undefined ? source : await openDeltaSource(delta.key, source, identities);
}

/** An encrypted delta's plain bytes; what its header says in clear must fit its content. */
export async function openDeltaSource(
  key: string,
  source: ByteSource,
  identities: Identities | undefined,
): Promise<DeltaSource> {
  const { facts, ...plain } = await openAgeSource(key, source, identities);
  if (facts?.delta !== undefined && facts.delta.plainBytes !== plain.bytes) {
    throw new EtcdOpsError('DELTA_DAMAGED', {
      message: `It holds ${plain.bytes} bytes, and its header says ${facts.delta.plainBytes}`,
    });
  }
  return plain;
}

/**
 * A stored delta, decrypted where it has to be: header, footer and index are read, the rest by ranges as it is asked for.
 * @throws EtcdOpsError DELTA_DAMAGED, OBJECT_DAMAGED, IDENTITY_MISSING naming it, STORE_NOT_FOUND when it has gone.
 */
export async function openStoredDelta(
  store: ObjectStore,
  delta: StoredDelta,
  options: OpenDeltaOptions = {},
): Promise<DeltaReader> {
  return await DeltaReader.open(await plainDeltaSource(store, delta, options));
}

/** What whoever goes on behind a delta must know of it. */
export interface DeltaEnd {
  clusterId: bigint;
  timeline: number;
  firstRevision: number;
  lastRevision: number;
  /** RevisionDigest of the rows of `lastRevision`; sealed for an encrypted delta: compare it by `digestFits`. */
  lastRevisionDigest: string;
  /** Fingerprints; empty for a delta in clear. */
  recipients: readonly string[];
}

/**
 * The end of a stored delta, with one small read and without a key: out of the footer, or of what an encrypted delta says in clear.
 * @throws EtcdOpsError DELTA_DAMAGED, OBJECT_DAMAGED, and STORE_NOT_FOUND when it has gone.
 */
export async function readDeltaEnd(store: ObjectStore, delta: StoredDelta, signal?: AbortSignal): Promise<DeltaEnd> {
  const source = storedDeltaSource(store, delta, signal);
  if (delta.encryption === undefined) {
    const offset = Math.max(0, delta.bytes - DELTA_TAIL_BYTES);
    return { ...readDeltaFooter(await source.read(offset, delta.bytes - offset), delta.bytes), recipients: [] };
  }
  const { delta: facts, recipients = [] } = (await readSourceFacts(source)) ?? {};
  if (facts === undefined) throw new EtcdOpsError('DELTA_DAMAGED', { message: `${delta.key} says nothing in clear` });
  return { ...facts, clusterId: BigInt(`0x${facts.clusterId}`), recipients };
}
