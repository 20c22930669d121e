import { createHash } from 'node:crypto';
import { EtcdOpsError, isEtcdOpsError } from '../base/errors.ts';
import { DELTA_SHA256_BYTES } from '../delta/delta-format.ts';
import { DOCUMENT_BYTES_MAX } from '../repository/checked-json.ts';
import { decodeManifest } from '../repository/full-manifest.ts';
import { parseObjectKey } from '../repository/object-key.ts';
import { decodeProofRecord } from '../repository/proof-record.ts';
import { decodeClusterRecord, decodeTimelineRecord } from '../repository/repository-records.ts';
import { decodePin } from '../repository/retention-records.ts';
import { decodeWitness } from '../repository/witness-record.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { otherObject, type CopyItem } from './copy-plan.ts';

/** Up to here an object is held in memory, and committed by a put that never replaces. */
export const COPIED_WHOLE_BYTES_MAX = 4 * 1024 * 1024;

export interface CopyObjectOptions {
  source: ObjectStore;
  target: ObjectStore;
  signal: AbortSignal;
  /** Waits until so many bytes may be read. */
  pace: (bytes: number) => Promise<void>;
  /** So many more bytes of the object are on their way. */
  onBytes: (bytes: number) => void;
}

/** The source's object is not what it should be, or has gone: the others are copied nevertheless. */
export class SourceProblem extends Error {
  override readonly name = 'SourceProblem';
  readonly kind: 'damaged' | 'gone';

  constructor(kind: 'damaged' | 'gone', cause: EtcdOpsError) {
    super(cause.message, { cause });
    this.kind = kind;
  }
}

/**
 * Copies one object and checks what can be known of its bytes on the way: nothing becomes visible of one that does not fit.
 * @returns false when the target had it after all.
 * @throws SourceProblem; EtcdOpsError STORE_EXISTS, STORE_..., CANCELLED.
 */
export async function copyObject(item: CopyItem, options: CopyObjectOptions): Promise<boolean> {
  if (item.isInDoubt === true) {
    await assertSame(item, options);
    options.onBytes(item.bytes);
    return false;
  }
  const isSmall = item.bytes <= COPIED_WHOLE_BYTES_MAX && item.kind !== 'full';
  return isSmall ? await copyWhole(item, options) : await copyStream(item, options);
}

async function copyWhole(item: CopyItem, options: CopyObjectOptions): Promise<boolean> {
  const { target, signal } = options;
  const chunks: Buffer[] = [];
  for await (const chunk of checkedBytes(item, options)) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  assertDocument(item, body);
  if ((await target.put(item.key, body, { ifAbsent: true, signal })) === 'created') return true;
  const found = await target.get(item.key, { bytesMax: Math.max(body.length, 1), signal }).catch(asLonger);
  if (found === undefined || !found.equals(body)) throw otherObject(item.key, target.description);
  return false;
}

/** What is longer than ours is not ours. */
function asLonger(error: unknown): undefined {
  if (!isEtcdOpsError(error, 'LIMIT_EXCEEDED')) throw error;
}

async function copyStream(item: CopyItem, options: CopyObjectOptions): Promise<boolean> {
  const { target, signal } = options;
  let problem: unknown;
  const watched = async function* (): AsyncGenerator<Buffer> {
    try {
      yield* checkedBytes(item, options);
    } catch (error) {
      // A store may put a failure of its source into words of its own.
      problem = error;
      throw error;
    }
  };
  try {
    await target.putStream(item.key, watched(), { bytesMax: Math.max(item.bytes, 1), signal });
  } catch (error) {
    throw problem ?? error;
  }
  return true;
}

/** The bytes of a source object; ends with an error unless they are as many as were listed and their checksum fits. */
async function* checkedBytes(item: CopyItem, options: CopyObjectOptions): AsyncGenerator<Buffer> {
  const { source, signal, pace, onBytes } = options;
  const checksum = new ObjectChecksum(item);
  try {
    for await (const chunk of source.stream(item.key, { signal })) {
      checksum.update(chunk);
      await pace(chunk.length);
      onBytes(chunk.length);
      yield chunk;
    }
    checksum.assert();
  } catch (error) {
    if (isEtcdOpsError(error, 'STORE_NOT_FOUND')) throw new SourceProblem('gone', error);
    throw error;
  }
}

/** Of a full by its manifest, of a delta or lease object that lies in clear by its own last bytes, and of every object by its length. */
class ObjectChecksum {
  readonly #item: CopyItem;
  readonly #hash = createHash('sha256');
  readonly #endsInHash: boolean;
  #bytes = 0;
  /** The bytes that may turn out to be its checksum. */
  #tail: Buffer = Buffer.alloc(0);

  constructor(item: CopyItem) {
    this.#item = item;
    this.#endsInHash = (item.kind === 'delta' || item.kind === 'leases') && !item.key.endsWith('.age');
  }

  update(chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (!this.#endsInHash) {
      if (this.#item.kind === 'full') this.#hash.update(chunk);
      return;
    }
    const held = Buffer.concat([this.#tail, chunk.subarray(Math.max(0, chunk.length - DELTA_SHA256_BYTES))]);
    if (chunk.length >= DELTA_SHA256_BYTES) {
      this.#hash.update(this.#tail).update(chunk.subarray(0, chunk.length - DELTA_SHA256_BYTES));
      this.#tail = Buffer.from(held.subarray(held.length - DELTA_SHA256_BYTES));
      return;
    }
    const over = Math.max(0, held.length - DELTA_SHA256_BYTES);
    this.#hash.update(held.subarray(0, over));
    this.#tail = Buffer.from(held.subarray(over));
  }

  /** @throws SourceProblem */
  assert(): void {
    const { key, bytes, kind, sha256 } = this.#item;
    if (this.#bytes !== bytes) throw damaged(key, `it has ${this.#bytes} bytes and ${bytes} were listed`);
    const expected = this.#endsInHash ? this.#tail.toString('hex') : kind === 'full' ? sha256 : undefined;
    if (expected !== undefined && this.#hash.digest('hex') !== expected) {
      throw damaged(key, `its SHA-256 is not the one that ${kind === 'full' ? 'its manifest' : 'it'} records`);
    }
  }
}

/** Documents carry a checksum of their own. */
function assertDocument({ key, kind, sha256 }: CopyItem, body: Buffer): void {
  if (kind === 'delta' || kind === 'leases') return;
  try {
    if (body.length > DOCUMENT_BYTES_MAX) throw damaged(key, `${body.length} bytes are too many for a document`);
    if (kind !== 'manifest') return decodeDocument(key, body);
    if (decodeManifest(body).storedSha256 !== sha256) throw damaged(key, 'it has been replaced while it was copied');
  } catch (error) {
    if (isEtcdOpsError(error, 'MANIFEST_DAMAGED')) throw new SourceProblem('damaged', error);
    throw error;
  }
}

function decodeDocument(key: string, body: Buffer): void {
  switch (parseObjectKey(key)?.kind) {
    case 'cluster':
      return void decodeClusterRecord(body);
    case 'timeline':
      return void decodeTimelineRecord(body);
    case 'proof':
      return void decodeProofRecord(body);
    case 'witness':
      return void decodeWitness(body);
    case 'pin':
      return void decodePin(body);
    default:
  }
}

/** The data of a full that an interrupted copy, or somebody else, left without a manifest. */
async function assertSame(item: CopyItem, { target, signal, pace }: CopyObjectOptions): Promise<void> {
  const hash = createHash('sha256');
  for await (const chunk of target.stream(item.key, { signal })) {
    await pace(chunk.length);
    hash.update(chunk);
  }
  if (hash.digest('hex') !== item.sha256) throw otherObject(item.key, target.description);
}

function damaged(key: string, reason: string): SourceProblem {
  return new SourceProblem('damaged', new EtcdOpsError('OBJECT_DAMAGED', { message: reason, facts: { key } }));
}
