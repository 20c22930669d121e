import { randomBytes, scrypt, scryptSync, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

/** 8 MiB and some 20 ms for each guess; r and p are fixed. */
const COST_LOG2 = 13;
/** What a reader is willing to spend on one comparison: 128 MiB. */
const COST_LOG2_MAX = 17;
const SALT_BYTES = 16;
const SEALED_BYTES = 32;
const BLOCK_SIZE = 8;

/** `scrypt:<log2 N>:<salt>:<hash>`, both in hex. */
export const SEALED_DIGEST = /^scrypt:(1[0-7]):([0-9a-f]{32}):([0-9a-f]{64})$/;
const PLAIN_DIGEST = /^[0-9a-f]{64}$/;

const scryptAsync = promisify(scrypt) as (
  secret: string,
  salt: Buffer,
  bytes: number,
  options: object,
) => Promise<Buffer>;

/**
 * A digest (64 hex digits) in a form that lies beside encrypted data in clear: whoever has the digest can tell that it is this
 * one, and whoever guesses at what was hashed pays scrypt for every guess. Two sealings of one digest differ.
 */
export async function sealDigest(digest: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const sealed = await scryptAsync(digest, salt, SEALED_BYTES, costOf(COST_LOG2));
  return `scrypt:${COST_LOG2}:${salt.toString('hex')}:${sealed.toString('hex')}`;
}

/** Whether a recorded digest, plain or sealed, is that of `found` (plain). Some 20 ms of computing for a sealed one. */
export function digestFits(recorded: string, found: string): boolean {
  const [, costLog2, salt, sealed] = SEALED_DIGEST.exec(recorded) ?? [];
  if (costLog2 === undefined || salt === undefined || sealed === undefined) return recorded === found;
  const expected = Buffer.from(sealed, 'hex');
  return timingSafeEqual(scryptSync(found, Buffer.from(salt, 'hex'), SEALED_BYTES, costOf(Number(costLog2))), expected);
}

/** The digest itself, or null when it is sealed or unknown. */
export function plainDigest(recorded: string | null): string | null {
  return recorded !== null && PLAIN_DIGEST.test(recorded) ? recorded : null;
}

function costOf(costLog2: number): { N: number; r: number; p: number; maxmem: number } {
  const N = 2 ** Math.min(costLog2, COST_LOG2_MAX);
  return { N, r: BLOCK_SIZE, p: 1, maxmem: 256 * N * BLOCK_SIZE };
}
