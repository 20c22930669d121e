import { createHash } from 'node:crypto';
import { encodeLeaseRecords } from '../mvcc/lease-record.ts';
import type { DecodedDelta } from './decode-delta.ts';
import { BLOCK_TYPES, writeSafeUint64, type BlockType, type DeltaIdentity } from './delta-format.ts';
import { encodeTimes } from './delta-tables.ts';

type Content = Pick<DeltaIdentity, 'clusterId' | 'timeline' | 'epoch'> & { firstRevision: number };
const IDENTITY_BYTES = 40;
const PREFIX_BYTES = 16;

/**
 * SHA-256 of what a delta says, however it is compressed: cluster id u64, timeline u64, first revision u64, epoch (16 bytes); then,
 * of each rows block, of the leases and of the times: type u64, plain bytes u64, and these. Two writers that turn the same events
 * into a delta may differ in their compression library, never in this.
 */
export class DeltaContentHash {
  readonly #hash = createHash('sha256');

  constructor({ clusterId, timeline, epoch, firstRevision }: Content) {
    const identity = Buffer.alloc(IDENTITY_BYTES);
    identity.writeBigUInt64LE(clusterId, 0);
    writeSafeUint64(identity, timeline, 8);
    writeSafeUint64(identity, firstRevision, 16);
    identity.write(epoch, 24, 'hex');
    this.#hash.update(identity);
  }

  add(type: Exclude<BlockType, 'index'>, plain: Buffer): void {
    const prefix = Buffer.alloc(PREFIX_BYTES);
    writeSafeUint64(prefix, BLOCK_TYPES[type], 0);
    writeSafeUint64(prefix, plain.length, 8);
    this.#hash.update(prefix);
    this.#hash.update(plain);
  }

  hex(): string {
    return this.#hash.digest('hex');
  }
}

export function deltaContentSha256({ facts, rowBlocks, leases, times }: DecodedDelta): string {
  const hash = new DeltaContentHash(facts);
  for (const block of rowBlocks) hash.add('rows', block.bytes);
  if (leases.length > 0) hash.add('leases', encodeLeaseRecords(leases));
  if (times.length > 0) hash.add('times', encodeTimes(times));
  return hash.hex();
}
