import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isEtcdOpsError } from '../base/errors.ts';
import { computeMembership } from '../datadir/membership.ts';
import { ProtoWriter } from '../datadir/proto-writer.ts';
import { encodeRaftFiles } from '../datadir/raft-files.ts';
import { FIRST_WAL_NAME, WAL_RECORD_TYPES, WalEncoder } from '../datadir/wal-format.ts';
import { scanWal, type WalSummary } from './scan-wal.ts';
import { listWalSegments } from './wal-segments.ts';

const membership = computeMembership(
  [
    { name: 'm1', peerUrls: ['http://10.0.0.1:2380'] },
    { name: 'm2', peerUrls: ['http://10.0.0.2:2380'] },
  ],
  'token',
);
const { wal } = encodeRaftFiles(membership, membership.members[0]!.id, { confStateInWal: true });
let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'etcd-ops-wal-'));
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function scan(segments: Record<string, Buffer>): Promise<WalSummary> {
  const path = mkdtempSync(join(directory, 'log-'));
  for (const [name, bytes] of Object.entries(segments)) writeFileSync(join(path, name), bytes);
  return await scanWal(listWalSegments(path));
}

const padded = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc(4096)]);

/** Where the records begin. */
function offsets(bytes: Buffer): number[] {
  const found: number[] = [];
  for (let offset = 0; offset < bytes.length;) {
    found.push(offset);
    const length = Number(bytes.readBigUInt64LE(offset) & 0x00ff_ffff_ffff_ffffn);
    offset += 8 + length + ((8 - (length % 8)) % 8);
  }
  return found;
}

test('a whole log', async () => {
  expect(await scan({ [FIRST_WAL_NAME]: padded(wal) })).toMatchObject({
    memberId: membership.members[0]!.id,
    clusterId: membership.clusterId,
    entriesFrom: 1,
    lastIndex: 2,
    hardState: { term: 1, commit: 2 },
    snapshots: [{ index: 0 }, { index: 2, term: 1 }],
    torn: undefined,
  });
});

test('what lies behind the end, and beside the log, does not count', async () => {
  const dirty = padded(wal);
  dirty.write('rests of a torn write', wal.length + 512);
  const summary = await scan({
    [FIRST_WAL_NAME]: dirty,
    '0.tmp': Buffer.from('x'),
    [`${FIRST_WAL_NAME}.broken`]: Buffer.from('x'),
  });
  expect(summary).toMatchObject({ lastIndex: 2, torn: undefined });
});

test('cut at any byte: a shorter log, a torn record, or too little to know whose log it is', async () => {
  const starts = offsets(wal);
  for (let length = 0; length < wal.length; length++) {
    let summary: WalSummary;
    try {
      summary = await scan({ [FIRST_WAL_NAME]: wal.subarray(0, length) });
    } catch (error) {
      expect(isEtcdOpsError(error, 'WAL_DAMAGED')).toBe(true);
      expect(length).toBeLessThan(starts[2]!);
      continue;
    }
    // A length field that is not whole reads as the end, as etcd reads it.
    const isBorder = starts.some((start) => length >= start && length < start + 8);
    expect(summary.torn === undefined).toBe(isBorder);
  }
});

test('a flipped byte is damage, or a length that ends behind the file', async () => {
  const seen = { damaged: 0, torn: 0 };
  for (let offset = 0; offset < wal.length; offset++) {
    const bytes = padded(wal);
    bytes[offset] = bytes[offset]! ^ 0x55;
    try {
      const { torn, lastIndex } = await scan({ [FIRST_WAL_NAME]: bytes });
      // Zeros in the padding of a record, or a record that etcd would cut off: never a longer log.
      expect(lastIndex ?? 0).toBeLessThanOrEqual(2);
      if (torn !== undefined) seen.torn++;
    } catch (error) {
      expect(isEtcdOpsError(error, 'WAL_DAMAGED')).toBe(true);
      seen.damaged++;
    }
  }
  expect(seen.damaged).toBeGreaterThan(wal.length / 2);
});

test('a garbage length in the first frame is named: without it nobody would know why no record names the member', async () => {
  const bytes = padded(wal);
  bytes.writeUInt32LE(0x7fff_ffff, 0);
  await expect(scan({ [FIRST_WAL_NAME]: bytes })).rejects.toMatchObject({
    code: 'WAL_DAMAGED',
    message: expect.stringMatching(
      /\.wal: no record names the member; it breaks off at byte 0: a record of \d+ bytes ends behind the file$/,
    ),
  });
  await expect(scan({ [FIRST_WAL_NAME]: Buffer.alloc(4096) })).rejects.toThrow(/no record names the member$/);
});

test('a record of which a whole sector is zeros was torn', async () => {
  const encoder = new WalEncoder();
  encoder.append(WAL_RECORD_TYPES.crc);
  encoder.append(WAL_RECORD_TYPES.metadata, new ProtoWriter().varint(1, 7n).varint(2, 9n).finish());
  const entry = new ProtoWriter().varint(1, 0).varint(2, 1).varint(3, 1).bytes(4, Buffer.alloc(3000, 1));
  encoder.append(WAL_RECORD_TYPES.entry, entry.finish());
  const bytes = encoder.finish();
  bytes.fill(0, 1024, 1536);
  const summary = await scan({ [FIRST_WAL_NAME]: padded(bytes) });
  expect(summary).toMatchObject({ lastIndex: undefined, torn: { rule: expect.stringContaining('CRC') } });
  bytes.fill(1, 1024, 1030);
  await expect(scan({ [FIRST_WAL_NAME]: padded(bytes) })).rejects.toThrow(/CRC/);
});

describe('several segments', () => {
  /** Two segments whose CRC goes on from one to the next, with the entries 1 and 2, 3 and 4. */
  function segments(): { first: Buffer; second: Buffer } {
    const records = (from: number): Buffer[] =>
      [from, from + 1].map((index) =>
        new ProtoWriter()
          .varint(1, 0)
          .varint(2, 1)
          .varint(3, index)
          .bytes(4, Buffer.from(`entry ${index}`))
          .finish(),
      );
    const identity = new ProtoWriter().varint(1, 7n).varint(2, 9n).finish();
    const encoder = new WalEncoder();
    encoder.append(WAL_RECORD_TYPES.crc);
    encoder.append(WAL_RECORD_TYPES.metadata, identity);
    for (const record of records(1)) encoder.append(WAL_RECORD_TYPES.entry, record);
    const first = encoder.finish();
    encoder.append(WAL_RECORD_TYPES.crc);
    encoder.append(WAL_RECORD_TYPES.metadata, identity);
    for (const record of records(3)) encoder.append(WAL_RECORD_TYPES.entry, record);
    return { first, second: encoder.finish().subarray(first.length) };
  }
  const name = (sequence: number, index: number): string =>
    `${sequence.toString(16).padStart(16, '0')}-${index.toString(16).padStart(16, '0')}.wal`;

  test('are one log', async () => {
    const { first, second } = segments();
    const summary = await scan({ [name(0, 0)]: padded(first), [name(1, 3)]: padded(second) });
    expect(summary).toMatchObject({ segments: 2, entriesFrom: 1, lastIndex: 4 });
  });

  test('begin where older ones were purged', async () => {
    const summary = await scan({ [name(1, 3)]: padded(segments().second) });
    expect(summary).toMatchObject({ segments: 1, entriesFrom: 3, lastIndex: 4 });
  });

  test.each([
    [
      'one is missing between them',
      ({ first, second }: ReturnType<typeof segments>) => ({ [name(0, 0)]: first, [name(2, 3)]: second }),
      /missing/,
    ],
    [
      'the second does not go on from the first',
      ({ second }: ReturnType<typeof segments>) => ({ [name(0, 0)]: wal, [name(1, 3)]: second }),
      /CRC/,
    ],
    [
      'the first was torn',
      ({ first, second }: ReturnType<typeof segments>) => ({
        [name(0, 0)]: first.subarray(0, -5),
        [name(1, 3)]: second,
      }),
      /ends behind/,
    ],
  ])('damaged: %s', async (_, build, said) => {
    await expect(scan(build(segments()))).rejects.toThrow(said);
  });
});
