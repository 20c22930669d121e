import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { crc32c } from '../base/crc32c.ts';
import { isEtcdOpsError } from '../base/errors.ts';
import { CODECS } from '../codec/codec.ts';
import { collect } from '../storage/collect.ts';
import { decodeDelta } from './decode-delta.ts';
import { encodeBlock } from './delta-block.ts';
import { encodeDeltaFooter, readDeltaFooter, type DeltaFooter } from './delta-footer.ts';
import { BLOCK_HEADER_BYTES, DELTA_HEADER_BYTES, DELTA_TAIL_BYTES, paddingAt } from './delta-format.ts';
import { bufferDeltaSource, DeltaReader } from './delta-reader.ts';
import { blockOf, sampleDelta, sampleRows } from './delta-samples.ts';
import { encodeIndex } from './delta-tables.ts';

const SEED = Number(process.env['ETCD_OPS_TEST_SEED'] ?? Date.now() % 1_000_000);
console.log(`seed ${SEED}`);
/** Whatever a damaged object says, decoding it must not take much more memory than the object has. */
const MEMORY_BYTES_MAX = 16 * 1024 * 1024;

/** Numbers that follow from a seed, so that a failure can be run again. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** A delta of several blocks, small enough to be damaged thousands of times. */
function original(codec: (typeof CODECS)[number]): Buffer {
  return sampleDelta({ codec, first: 1000, last: 1400, valueBytes: 1200 });
}

type Mutation = (bytes: Buffer, random: (below: number) => number) => Buffer;

const MUTATIONS: Record<string, Mutation> = {
  flip(bytes, random) {
    const copy = Buffer.from(bytes);
    copy[random(copy.length)]! ^= 1 << random(8);
    return copy;
  },
  flipInStructure(bytes, random) {
    const copy = Buffer.from(bytes);
    const tail = 1500;
    const at = random(2) === 0 ? random(DELTA_HEADER_BYTES + BLOCK_HEADER_BYTES) : copy.length - 1 - random(tail);
    copy[at]! ^= 1 << random(8);
    return copy;
  },
  truncate: (bytes, random) => bytes.subarray(0, random(bytes.length)),
  extend: (bytes, random) => Buffer.concat([bytes, Buffer.alloc(1 + random(300), random(256))]),
  cutMiddle(bytes, random) {
    const from = random(bytes.length - 1);
    return Buffer.concat([
      bytes.subarray(0, from),
      bytes.subarray(from + 1 + random(Math.min(5000, bytes.length - from - 1))),
    ]);
  },
  zeroRun(bytes, random) {
    const copy = Buffer.from(bytes);
    const from = random(copy.length - 1);
    copy.fill(0xff, from, Math.min(copy.length, from + 4));
    copy.fill(0, Math.min(copy.length, from + 4), Math.min(copy.length, from + 4 + random(4096)));
    return copy;
  },
  hugeNumber(bytes, random) {
    const copy = Buffer.from(bytes);
    const values = [0xffffffff, 0x7fffffff, 0x40000000, 0x3fffffff];
    const fields = [8, 12, 16].map((field) => DELTA_HEADER_BYTES + field);
    const footer = copy.length - DELTA_TAIL_BYTES;
    for (let field = 12; field < 56; field += 4) fields.push(footer + field);
    copy.writeUInt32LE(values[random(values.length)]!, fields[random(fields.length)]);
    return copy;
  },
};

async function readAll(bytes: Buffer): Promise<void> {
  const reader = await DeltaReader.open(bufferDeltaSource(bytes));
  await reader.leases();
  await reader.times();
  for await (const block of reader.rowBlocks()) expect(block.rowCount).toBeGreaterThan(0);
}

async function outcomeOf(work: () => Promise<unknown>): Promise<'accepted' | 'refused'> {
  const before = process.memoryUsage().arrayBuffers;
  try {
    await work();
    return 'accepted';
  } catch (error) {
    if (!isEtcdOpsError(error, 'DELTA_DAMAGED')) throw error;
    expect(error.message).toMatch(/^Delta, byte \d+: /);
    return 'refused';
  } finally {
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(MEMORY_BYTES_MAX);
  }
}

for (const codec of CODECS) {
  test(`${codec}: no damaged variant is accepted, none takes much memory or time`, { timeout: 60_000 }, async () => {
    const bytes = original(codec);
    const random = randomFrom(SEED);
    let variants = 0;
    for (const [name, mutate] of Object.entries(MUTATIONS)) {
      for (let round = 0; round < 120; round++) {
        const damaged = mutate(bytes, random);
        if (damaged.equals(bytes)) continue;
        variants++;
        expect(await outcomeOf(async () => await decodeDelta(damaged)), `${name}, round ${round}`).toBe('refused');
        // By ranges only what was read is vouched for: all reading must either be refused or give what was written.
        if (round % 4 === 0 && (await outcomeOf(async () => await readAll(damaged))) === 'accepted') {
          const reader = await DeltaReader.open(bufferDeltaSource(damaged));
          expect(await outcomeOf(async () => await reader.verify())).toBe('refused');
          const [left, right] = await Promise.all(
            [damaged, bytes].map(async (each) => (await DeltaReader.open(bufferDeltaSource(each))).rowBlocks()),
          );
          expect((await collect(left!)).map((block) => block.bytes.toString('hex'))).toEqual(
            (await collect(right!)).map((block) => block.bytes.toString('hex')),
          );
        }
      }
    }
    expect(variants).toBeGreaterThan(800);
  });
}

/** Puts CRCs and SHA-256 right again after a change: damage that only the meaning of the fields betrays. */
function resign(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  const footer = copy.length - DELTA_TAIL_BYTES;
  copy.writeUInt32LE(crc32c(copy.subarray(0, DELTA_HEADER_BYTES - 4)), DELTA_HEADER_BYTES - 4);
  copy.writeUInt32LE(copy.readUInt32LE(DELTA_HEADER_BYTES - 4), footer + 184);
  copy.writeUInt32LE(crc32c(copy.subarray(footer, footer + 188)), footer + 188);
  createHash('sha256')
    .update(copy.subarray(0, -32))
    .digest()
    .copy(copy, copy.length - 32);
  return copy;
}

test('forged fields of header and footer with right checksums are still refused', async () => {
  const bytes = original('none');
  const footer = bytes.length - DELTA_TAIL_BYTES;
  const random = randomFrom(SEED);
  const huge = [0xffffffff, 0x7fffffff, 0x80000000, 1, 0];
  let variants = 0;
  // Not forged: cluster id, timeline and epoch (any value is possible), magic and version (checked before), and the CRCs.
  const offsets = [12, 28, 48, 56, 64, 68, 72, 100].concat(
    Array.from({ length: 31 }, (_, index) => footer + 12 + index * 4),
    footer + 148,
    footer + 168,
    footer + 172,
    footer + 176,
  );
  for (const offset of offsets) {
    for (const value of huge) {
      const copy = Buffer.from(bytes);
      copy.writeUInt32LE(value, offset);
      if (copy.equals(bytes)) continue;
      variants++;
      expect(await outcomeOf(async () => await decodeDelta(resign(copy))), `u32 at ${offset} = ${value}`).toBe(
        'refused',
      );
    }
  }
  for (let round = 0; round < 300; round++) {
    const copy = Buffer.from(bytes);
    const [from, length] = [
      [12, 4],
      [28, 4],
      [48, 76],
      [footer + 12, 124],
      [footer + 148, 4],
      [footer + 168, 16],
    ][random(6)]!;
    copy[from! + random(length!)]! ^= 1 << random(8);
    variants++;
    expect(await outcomeOf(async () => await decodeDelta(resign(copy))), `flip in field at ${from}`).toBe('refused');
  }
  expect(variants).toBeGreaterThan(450);
});

interface Piece {
  header: Buffer;
  stored: Buffer;
  padding: Buffer;
  rows: { rowCount: number; firstRevision: number; lastRevision: number };
}

function piece(first: number, last: number): Piece {
  const block = blockOf(sampleRows(first, last));
  const rows = { rowCount: block.rowCount, firstRevision: first, lastRevision: last };
  return {
    ...encodeBlock({
      type: 'rows',
      codec: 'none',
      plain: block.bytes,
      items: block.rowCount,
      firstRevision: first,
      lastRevision: last,
    }),
    rows,
  };
}

/** A delta with right checksums everywhere, put together out of these blocks. */
function assemble(template: Buffer, pieces: readonly Piece[], change: Partial<DeltaFooter> = {}): Buffer {
  const parts = [template.subarray(0, DELTA_HEADER_BYTES)];
  let offset = DELTA_HEADER_BYTES;
  const locations = pieces.map(({ header, stored, padding, rows }) => {
    const location = { offset, storedBytes: stored.length, ...rows };
    parts.push(header, stored, padding);
    offset += header.length + stored.length + padding.length;
    return location;
  });
  const old = readDeltaFooter(template.subarray(-DELTA_TAIL_BYTES), template.length);
  const firstRevision = locations[0]!.firstRevision;
  const lastRevision = locations.at(-1)!.lastRevision;
  const plain = encodeIndex(locations);
  const index = encodeBlock({
    type: 'index',
    codec: 'none',
    plain,
    items: locations.length,
    firstRevision,
    lastRevision,
  });
  parts.push(index.header, index.stored, index.padding);
  const length = index.header.length + index.stored.length;
  const footer = {
    ...old,
    firstRevision,
    lastRevision,
    leases: undefined,
    times: undefined,
    leaseCount: 0,
    timeCount: 0,
    firstObservedMs: 0,
    lastObservedMs: 0,
    rowsBlocks: pieces.length,
    rowCount: pieces.reduce((sum, { rows }) => sum + rows.rowCount, 0),
    rowBytes: pieces.reduce((sum, { stored }) => sum + stored.length, 0),
    index: { offset, length },
    bytes: offset + length + paddingAt(length) + DELTA_TAIL_BYTES,
    ...change,
  };
  parts.push(encodeDeltaFooter(footer), Buffer.alloc(32));
  return resign(Buffer.concat(parts));
}

test('a hole, a swap, an overlap or other rows are refused although every checksum is right', async () => {
  const template = sampleDelta({ first: 101, last: 109, withLeases: false, withTimes: false });
  const [a, b, c] = [piece(101, 103), piece(104, 106), piece(107, 109)];
  const refused = async (bytes: Buffer): Promise<void> => {
    await expect(decodeDelta(bytes)).rejects.toMatchObject({ code: 'DELTA_DAMAGED' });
    await expect(
      DeltaReader.open(bufferDeltaSource(bytes)).then(async (reader) => await reader.verify()),
    ).rejects.toMatchObject({ code: 'DELTA_DAMAGED' });
  };
  const sound = assemble(template, [a, b, c]);
  expect((await decodeDelta(sound)).facts).toMatchObject({ firstRevision: 101, lastRevision: 109 });
  await refused(assemble(template, [a, c]));
  // The index alone betrays it: a ranged reader need not come across the place.
  await expect(DeltaReader.open(bufferDeltaSource(assemble(template, [a, c])))).rejects.toThrow(/do not follow/);
  await refused(assemble(template, [b, a, c]));
  await refused(assemble(template, [a, b, b, c]));
  await refused(assemble(template, [a, piece(103, 106), c]));
  await refused(assemble(template, [a, piece(104, 105), c]));
  await refused(assemble(template, [a, b, piece(107, 110)], { lastRevision: 109 }));
  // The right span in index and header, but a revision missing between first and last.
  const holed = blockOf(sampleRows(104, 106).filter((row) => row.main !== 105));
  const lying = {
    ...encodeBlock({
      type: 'rows',
      codec: 'none',
      plain: holed.bytes,
      items: holed.rowCount,
      firstRevision: 104,
      lastRevision: 106,
    }),
    rows: { rowCount: holed.rowCount, firstRevision: 104, lastRevision: 106 },
  };
  await refused(assemble(template, [a, lying, c]));
  // A sub missing inside of a revision: 104 has three rows.
  const subless = blockOf(sampleRows(104, 106).filter((row) => !(row.main === 104 && row.sub === 1)));
  const halved = {
    ...encodeBlock({
      type: 'rows',
      codec: 'none',
      plain: subless.bytes,
      items: subless.rowCount,
      firstRevision: 104,
      lastRevision: 106,
    }),
    rows: { rowCount: subless.rowCount, firstRevision: 104, lastRevision: 106 },
  };
  await refused(assemble(template, [a, halved, c]));
  await refused(assemble(template, [a, b, c], { lastRevisionDigest: '0'.repeat(64) }));
  await refused(assemble(template, [a, b, c], { lastRevisionRows: 3 }));
  await refused(assemble(template, [a, b, c], { rowBytes: 1 }));
});

test('a delta that names a key of its own or is of another version says so', async () => {
  const bytes = sampleDelta();
  const encrypted = Buffer.from(bytes);
  encrypted[50] = 7;
  await expect(decodeDelta(resign(encrypted))).rejects.toThrow(/names the key 00000700/);
  for (const offset of [8, bytes.length - DELTA_TAIL_BYTES + 8]) {
    const other = Buffer.from(bytes);
    other[offset] = 2;
    await expect(decodeDelta(resign(other))).rejects.toThrow(/version 2, and this etcd-ops reads version 1/);
  }
});

test('single corruptions that each check alone must find', async () => {
  const bytes = sampleDelta({ withLeases: false, withTimes: false });
  const inRow = Buffer.from(bytes);
  inRow[DELTA_HEADER_BYTES + BLOCK_HEADER_BYTES + 200]! ^= 1;
  // Ranged reading has the CRC only.
  const reader = await DeltaReader.open(bufferDeltaSource(inRow));
  await expect(collect(reader.rowBlocks())).rejects.toThrow(/fail their CRC/);
  await expect(decodeDelta(inRow)).rejects.toThrow(/SHA-256/);
  // With the CRC forged, the SHA-256 alone stands.
  const start = DELTA_HEADER_BYTES;
  const stored = inRow.readUInt32LE(start + 8);
  inRow.writeUInt32LE(
    crc32c(inRow.subarray(start + BLOCK_HEADER_BYTES, start + BLOCK_HEADER_BYTES + stored)),
    start + 40,
  );
  inRow.writeUInt32LE(crc32c(inRow.subarray(start, start + 44)), start + 44);
  const forged = await DeltaReader.open(bufferDeltaSource(inRow));
  expect(await collect(forged.rowBlocks())).toHaveLength(1);
  await expect(forged.verify()).rejects.toThrow(/SHA-256/);
  await expect(decodeDelta(inRow)).rejects.toThrow(/SHA-256/);
});

test('every single bit of header, footer and block headers is guarded also for ranged readers, who have no SHA-256', async () => {
  const bytes = sampleDelta();
  const footer = bytes.length - DELTA_TAIL_BYTES;
  const span = readDeltaFooter(bytes.subarray(footer), bytes.length);
  const blocks = [DELTA_HEADER_BYTES, span.leases!.offset, span.times!.offset, span.index.offset];
  const flipped = (at: number, bit: number): Buffer => {
    const copy = Buffer.from(bytes);
    copy[at]! ^= 1 << bit;
    return copy;
  };
  for (let bit = 0; bit < 8; bit++) {
    for (let at = 0; at < DELTA_TAIL_BYTES - 32; at++) {
      expect(() => readDeltaFooter(flipped(footer + at, bit).subarray(footer), bytes.length)).toThrow(/^Delta, byte/);
    }
    for (let at = 0; at < DELTA_HEADER_BYTES; at++) {
      expect(await outcomeOf(async () => await DeltaReader.open(bufferDeltaSource(flipped(at, bit))))).toBe('refused');
    }
    for (const at of blocks.flatMap((start) =>
      Array.from({ length: BLOCK_HEADER_BYTES }, (_, index) => start + index),
    )) {
      expect(await outcomeOf(async () => await readAll(flipped(at, bit)))).toBe('refused');
    }
  }
});
