import { createHash } from 'node:crypto';
import type { ErrorCode } from '../base/error-codes.ts';
import { isEtcdOpsError } from '../base/errors.ts';
import { decodeDelta, type DecodedDelta } from '../delta/decode-delta.ts';
import { deltaContentSha256 } from '../delta/delta-content.ts';
import type { DeltaFacts } from '../delta/delta-format.ts';
import { readSourceFacts } from '../encryption/age-source.ts';
import type { ClearDeltaFacts } from '../encryption/clear-facts.ts';
import { digestFits } from '../encryption/sealed-digest.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { storedDeltaSource } from './delta-source.ts';

interface Delta {
  bytes: Buffer;
  facts: DeltaFacts;
  contentSha256: string;
}

export interface StoredDeltaVerdict {
  /** `same-rows`: leases, times or the writer differ. `unreadable`: no sound delta, or none that an encrypted one is taken for. */
  verdict: 'equal' | 'same-rows' | 'other-rows' | 'unreadable';
  storedBytes: number;
  /** Why it cannot be read. */
  error?: unknown;
}

const DAMAGE: readonly ErrorCode[] = ['DELTA_DAMAGED', 'OBJECT_DAMAGED', 'LIMIT_EXCEEDED'];

/**
 * What is stored under the key of a delta, seen from that delta. Of two that are encrypted, rows are the same when cluster, timeline, both
 * ends and the digest of the last revision are: what a watch believes when it goes on from there.
 * @throws EtcdOpsError of the store, CANCELLED.
 */
export async function compareStoredDelta(
  store: ObjectStore,
  key: string,
  delta: Delta,
  { isEncrypted, signal }: { isEncrypted: boolean; signal?: AbortSignal | undefined },
): Promise<StoredDeltaVerdict> {
  const found = await store.stat(key);
  const storedBytes = found?.bytes ?? 0;
  if (found === undefined) return { verdict: 'unreadable', storedBytes };
  try {
    const source = { key, bytes: storedBytes };
    const verdict = isEncrypted
      ? await compareEncrypted(store, source, delta, signal)
      : await comparePlain(store, source, delta, signal);
    return { verdict, storedBytes };
  } catch (error) {
    if (isEtcdOpsError(error) && DAMAGE.includes(error.code)) return { verdict: 'unreadable', storedBytes, error };
    throw error;
  }
}

async function comparePlain(
  store: ObjectStore,
  { key, bytes }: { key: string; bytes: number },
  delta: Delta,
  signal: AbortSignal | undefined,
): Promise<StoredDeltaVerdict['verdict']> {
  const stored = await store.get(key, { bytesMax: bytes, ...(signal === undefined ? {} : { signal }) });
  if (sha256([stored]) === sha256([delta.bytes])) return 'equal';
  const decoded = await decodeDelta(stored, { signal });
  if (deltaContentSha256(decoded) === delta.contentSha256) return 'equal';
  const own = await decodeDelta(delta.bytes, { signal });
  return isSameHistory(decoded.facts, own.facts) && rowsSha256(decoded) === rowsSha256(own)
    ? 'same-rows'
    : 'other-rows';
}

async function compareEncrypted(
  store: ObjectStore,
  found: { key: string; bytes: number },
  { facts, contentSha256 }: Delta,
  signal: AbortSignal | undefined,
): Promise<StoredDeltaVerdict['verdict']> {
  const stored = (await readSourceFacts(storedDeltaSource(store, found, signal)))?.delta;
  if (stored === undefined) return 'unreadable';
  if (digestFits(stored.content, contentSha256)) return 'equal';
  const isSame =
    isSameHistory(identityOf(stored), facts) && digestFits(stored.lastRevisionDigest, facts.lastRevisionDigest);
  return isSame ? 'same-rows' : 'other-rows';
}

type History = Pick<DeltaFacts, 'clusterId' | 'timeline' | 'firstRevision' | 'lastRevision'>;

function identityOf({ clusterId, ...facts }: ClearDeltaFacts): History {
  return { ...facts, clusterId: BigInt(`0x${clusterId}`) };
}

function isSameHistory(one: History, other: History): boolean {
  return (
    one.clusterId === other.clusterId &&
    one.timeline === other.timeline &&
    one.firstRevision === other.firstRevision &&
    one.lastRevision === other.lastRevision
  );
}

/** Blocks are cut where rows alone say, so equal rows lie in equal blocks. */
function rowsSha256({ rowBlocks }: DecodedDelta): string {
  return sha256(rowBlocks.map(({ bytes }) => bytes));
}

function sha256(parts: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}
