import { describeError, EtcdOpsError, isEtcdOpsError } from '../base/errors.ts';
import type { DeltaFacts } from '../delta/delta-format.ts';
import { encryptBuffer } from '../encryption/age-buffer.ts';
import type { ClearDeltaFacts } from '../encryption/clear-facts.ts';
import type { Recipients } from '../encryption/recipients.ts';
import { sealDigest } from '../encryption/sealed-digest.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { compareStoredDelta } from './compare-delta.ts';
import { deltaKey, parseObjectKey } from './object-key.ts';
import { withLaterEnd } from './later-delta.ts';

/** A delta as `DeltaEncoder.finish` gives it. */
export interface FinishedDelta {
  bytes: Buffer;
  facts: DeltaFacts;
  contentSha256: string;
}

export interface PutDeltaOptions {
  /** Encrypts to these; the key must say so, too. */
  recipients?: Recipients | undefined;
  signal?: AbortSignal | undefined;
  /**
   * Another object under the key is no reason to refuse as long as it contradicts nothing: one of the same rows that knows less or more
   * of leases stands for this one, and beside one that nobody can read this one gets the next name.
   */
  settle?: boolean;
}

export interface StoredDelta {
  /** `same-rows`: only with `settle`; what this one says of leases is not stored. */
  outcome: 'created' | 'equal' | 'same-rows';
  /** Another one than was asked for only with `settle`. */
  key: string;
  storedBytes: number;
}

/** So many unreadable objects in a row are no accident. */
const NAMES_MAX = 8;

/**
 * Stores a delta, which is written once and never changed. One that is there already is what another writer, or this one before it
 * crashed, made of the same events, if its content is the same: it may be compressed by another library or encrypted to other
 * recipients, and no key is needed to tell.
 * @throws EtcdOpsError STORE_EXISTS when another one is there.
 */
export async function putDelta(
  store: ObjectStore,
  key: string,
  delta: FinishedDelta,
  options: PutDeltaOptions = {},
): Promise<StoredDelta> {
  const { recipients, signal, settle = false } = options;
  const stored =
    recipients === undefined ? delta.bytes : await encryptBuffer(delta.bytes, recipients, await clearFactsOf(delta));
  const cancel = signal === undefined ? {} : { signal };
  if ((await store.put(key, stored, { ifAbsent: true, ...cancel })) === 'created') {
    return { outcome: 'created', key, storedBytes: stored.length };
  }
  const { verdict, storedBytes, error } = await compareStoredDelta(store, key, delta, {
    isEncrypted: recipients !== undefined,
    signal,
  });
  if (verdict === 'equal') return { outcome: 'equal', key, storedBytes };
  if (settle && verdict === 'same-rows') return { outcome: 'same-rows', key, storedBytes };
  if (settle && verdict === 'unreadable') return await putBeside(store, key, delta, options);
  throw otherContent(store, key, error);
}

/**
 * Under the next free name: the newest time in it is a millisecond later, also inside. A time says that all before it had been
 * seen by then, and that stays true.
 */
async function putBeside(
  store: ObjectStore,
  key: string,
  delta: FinishedDelta,
  options: PutDeltaOptions,
): Promise<StoredDelta> {
  const parsed = parseObjectKey(key);
  if (parsed?.kind !== 'delta') throw otherContent(store, key);
  let refused: unknown;
  for (let laterMs = 1; laterMs < NAMES_MAX; laterMs++) {
    const later = await withLaterEnd(delta, laterMs);
    const next = deltaKey({ ...parsed, lastObservedMs: later.facts.lastObservedMs });
    try {
      return await putDelta(store, next, later, { ...options, settle: false });
    } catch (error) {
      if (!isEtcdOpsError(error, 'STORE_EXISTS')) throw error;
      refused = error;
    }
  }
  throw refused;
}

async function clearFactsOf({ bytes, facts, contentSha256 }: FinishedDelta): Promise<ClearDeltaFacts> {
  return {
    clusterId: facts.clusterId.toString(16),
    timeline: facts.timeline,
    firstRevision: facts.firstRevision,
    lastRevision: facts.lastRevision,
    plainBytes: bytes.length,
    content: await sealDigest(contentSha256),
    lastRevisionDigest: await sealDigest(facts.lastRevisionDigest),
  };
}

function otherContent(store: ObjectStore, key: string, cause?: unknown): EtcdOpsError {
  const why = cause === undefined ? '' : ` (${describeError(cause)})`;
  return new EtcdOpsError('STORE_EXISTS', {
    message: `${key} exists in ${store.description} with another content${why}`,
    cause,
  });
}
