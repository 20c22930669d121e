import { createHash } from 'node:crypto';
import { describeError, EtcdOpsError, isEtcdOpsError } from '../base/errors.ts';
import { decodeDelta } from '../delta/decode-delta.ts';
import { deltaContentSha256 } from '../delta/delta-content.ts';
import type { DeltaFacts } from '../delta/delta-format.ts';
import { encryptBuffer } from '../encryption/age-buffer.ts';
import { readSourceFacts } from '../encryption/age-source.ts';
import type { ClearDeltaFacts } from '../encryption/clear-facts.ts';
import type { Recipients } from '../encryption/recipients.ts';
import { digestFits, sealDigest } from '../encryption/sealed-digest.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { storedDeltaSource } from './delta-source.ts';

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
}

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
  { recipients, signal }: PutDeltaOptions = {},
): Promise<{ outcome: 'created' | 'equal'; storedBytes: number }> {
  const stored =
    recipients === undefined ? delta.bytes : await encryptBuffer(delta.bytes, recipients, await clearFactsOf(delta));
  const options = signal === undefined ? {} : { signal };
  if ((await store.put(key, stored, { ifAbsent: true, ...options })) === 'created') {
    return { outcome: 'created', storedBytes: stored.length };
  }
  const found = await store.stat(key);
  const same =
    found !== undefined &&
    (recipients === undefined
      ? await isSamePlain(store, { key, bytes: found.bytes }, delta, signal)
      : await isSameEncrypted(store, { key, bytes: found.bytes }, delta, signal));
  if (same) return { outcome: 'equal', storedBytes: found.bytes };
  throw otherContent(store, key);
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

type Found = { key: string; bytes: number };

async function isSamePlain(
  store: ObjectStore,
  { key, bytes }: Found,
  delta: FinishedDelta,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const stored = await store.get(key, { bytesMax: bytes, ...(signal === undefined ? {} : { signal }) });
  if (sha256(stored) === sha256(delta.bytes)) return true;
  try {
    return deltaContentSha256(await decodeDelta(stored, { signal })) === delta.contentSha256;
  } catch (error) {
    throw asOther(store, key, error);
  }
}

async function isSameEncrypted(
  store: ObjectStore,
  found: Found,
  delta: FinishedDelta,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  try {
    const facts = await readSourceFacts(storedDeltaSource(store, found, signal));
    return facts?.delta !== undefined && digestFits(facts.delta.content, delta.contentSha256);
  } catch (error) {
    throw asOther(store, found.key, error);
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** What is there cannot be read as a delta; what the store says is passed on. */
function asOther(store: ObjectStore, key: string, error: unknown): unknown {
  const isDamage = isEtcdOpsError(error) && ['DELTA_DAMAGED', 'OBJECT_DAMAGED', 'LIMIT_EXCEEDED'].includes(error.code);
  return isDamage ? otherContent(store, key, error) : error;
}

function otherContent(store: ObjectStore, key: string, cause?: unknown): EtcdOpsError {
  const why = cause === undefined ? '' : ` (${describeError(cause)})`;
  return new EtcdOpsError('STORE_EXISTS', {
    message: `${key} exists in ${store.description} with another content${why}`,
    cause,
  });
}
