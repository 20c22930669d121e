import { expect, test } from 'vitest';
import { isEtcdOpsError } from '../base/errors.ts';
import { checkRaftFiles } from './check-raft-files.ts';
import { GOLDEN_CLUSTERS, readGolden } from './golden-clusters.ts';
import { decodeRaftSnapshot } from './raft-snapshot-reader.ts';
import { decodeWal } from './wal-reader.ts';

const VARIANTS = 3000;
const SEED = Number(process.env['ETCD_OPS_TEST_SEED'] ?? Date.now() % 2 ** 31);

/** A small seeded generator (mulberry32): the same seed gives the same damage. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** One damaged copy: a flipped bit, another byte, a cut, a hole, bytes that moved or came in, or a block of noise or zeros. */
function damage(original: Buffer, random: (below: number) => number): { bytes: Buffer; how: string } {
  const at = random(original.length);
  const length = 1 + random(Math.min(64, original.length - at));
  const bytes = Buffer.from(original);
  const kind = random(8);
  if (kind === 0) return { bytes: original.subarray(0, at), how: `cut at ${at}` };
  if (kind === 1) {
    return {
      bytes: Buffer.concat([original.subarray(0, at), original.subarray(at + length)]),
      how: `lost ${length} at ${at}`,
    };
  }
  if (kind === 2) {
    const noise = Buffer.from(Array.from({ length }, () => random(256)));
    return {
      bytes: Buffer.concat([original.subarray(0, at), noise, original.subarray(at)]),
      how: `gained ${length} at ${at}`,
    };
  }
  if (kind === 3) bytes.fill(0, at, at + length);
  else if (kind === 4) for (let offset = at; offset < at + length; offset++) bytes[offset] = random(256);
  else if (kind === 5) bytes.copy(bytes, at, random(original.length), original.length);
  else if (kind === 6) bytes[at] = random(256);
  else bytes[at]! ^= 1 << random(8);
  return { bytes, how: `kind ${kind}, ${length} bytes at ${at}` };
}

/** The facts that matter of both files; equal facts mean that the damage changed nothing. */
function factsOf(wal: Buffer, snap: Buffer): string {
  const content = decodeWal(wal);
  const snapshot = decodeRaftSnapshot(snap);
  checkRaftFiles(content, snapshot);
  const { endOffset: _end, fileBytes: _bytes, ...facts } = content;
  return JSON.stringify([facts, snapshot], (_key, value: unknown) => {
    if (typeof value === 'bigint') return value.toString();
    return Buffer.isBuffer(value) ? value.toString('hex') : value;
  });
}

const cases = GOLDEN_CLUSTERS.flatMap(({ file }) =>
  ['3.4.23', '3.5.16'].flatMap((version) => (['WAL', 'snap'] as const).map((damaged) => ({ file, version, damaged }))),
);

test.each(cases)(
  `damage to the $damaged of $file, $version is found or changes nothing (seed ${SEED})`,
  ({ file, version, damaged }) => {
    const wal = Buffer.concat([readGolden(`${file}.${version}.wal-head`), Buffer.alloc(512)]);
    const snap = readGolden(`${file}.snap`);
    const intact = factsOf(wal, snap);
    const random = randomNumbers(SEED);
    let found = 0;
    for (let variant = 0; variant < VARIANTS; variant++) {
      const { bytes, how } = damage(damaged === 'WAL' ? wal : snap, random);
      try {
        const facts = damaged === 'WAL' ? factsOf(bytes, snap) : factsOf(wal, bytes);
        expect(facts, `${how} went unnoticed (seed ${SEED}, variant ${variant})`).toBe(intact);
      } catch (error) {
        if (!isEtcdOpsError(error, 'WAL_DAMAGED') && !isEtcdOpsError(error, 'RAFT_SNAPSHOT_DAMAGED')) throw error;
        found++;
      }
    }
    expect(found).toBeGreaterThan(VARIANTS / 3);
  },
);
