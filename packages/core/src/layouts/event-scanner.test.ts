import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bufferDeltaSource, DeltaReader } from '../delta/delta-reader.ts';
import { rowsOfHistory, type ModelRow } from '../mvcc/testing/model-store.ts';
import { history } from '../verify/testing/lies.ts';
import { encodeEvent, goTime } from './event-encoder.ts';
import { EventScanner, type KeyEvent } from './event-scanner.ts';
import { eventsToDeltas } from './events-to-deltas.ts';

const IDENTITY = { clusterId: 0xcdf818194e3a8c32n, timeline: 1, epoch: '0'.repeat(32) };
const TIME = '2024-02-02T20:32:07.123456789+08:00';
const TIME_MS = Date.parse('2024-02-02T12:32:07.123Z');
/** Byte for byte what both tools write for a put with a lease above 2^53, an empty value, and a deletion. */
const GOLDEN = [
  `[{"etcdEvent":{"kv":{"key":"L3JlZ2lzdHJ5L2E=","create_revision":5,"mod_revision":9,"version":2,"value":"djEA/w==","lease":7587870279482933765}},"time":"${TIME}"},`,
  `{"etcdEvent":{"kv":{"key":"Yg==","create_revision":9,"mod_revision":9,"version":1}},"time":"${TIME}"},`,
  `{"etcdEvent":{"type":1,"kv":{"key":"L3JlZ2lzdHJ5L2E=","mod_revision":10}},"time":"${TIME}"}]`,
].join('');

function scan(json: string | Buffer, chunkBytes = 1 << 20, eventBytesMax?: number): KeyEvent[] {
  const bytes = Buffer.from(json);
  const scanner = new EventScanner(eventBytesMax === undefined ? {} : { eventBytesMax });
  const events: KeyEvent[] = [];
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    events.push(...scanner.push(bytes.subarray(at, at + chunkBytes)));
  }
  events.push(...scanner.finish());
  return events;
}

async function* streamOf<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

async function rowsOf(events: readonly KeyEvent[], first: number, last: number, bytesMax = 1 << 30): Promise<string[]> {
  const rows: string[] = [];
  for await (const { bytes } of eventsToDeltas(streamOf(events), { identity: IDENTITY, first, last, bytesMax })) {
    const reader = await DeltaReader.open(bufferDeltaSource(bytes));
    for await (const block of reader.rowBlocks()) {
      for (let row = 0; row < block.rowCount; row++) {
        rows.push(`${block.key(row).toString('hex')}=${block.value(row).toString('hex')}`);
      }
    }
  }
  return rows;
}

function jsonOf(rows: readonly ModelRow[]): string {
  const events = rows.map(({ main, tombstone, value }) =>
    encodeEvent({ main, isTombstone: tombstone, value, observedMs: 1_700_000_000_000 + main }),
  );
  return `[${events.join(',')}]`;
}

describe('the events of the other tools', () => {
  test.each([1, 2, 7, 64, 1 << 20])('are read in chunks of %d bytes', (chunkBytes) => {
    const events = scan(GOLDEN, chunkBytes);
    expect(events.map(({ isDelete, observedMs }) => [isDelete, observedMs])).toEqual([
      [false, TIME_MS],
      [false, TIME_MS],
      [true, TIME_MS],
    ]);
    expect(events[0]!.kv).toEqual({
      ...{ key: Buffer.from('/registry/a'), createRevision: 5, modRevision: 9, version: 2 },
      ...{ value: Buffer.from('763100ff', 'hex'), lease: 7587870279482933765n },
    });
    expect(events[2]!.kv).toMatchObject({ key: Buffer.from('/registry/a'), modRevision: 10, version: 0, lease: 0n });
  });

  test('become whole rows: subs by order, a tombstone of the key alone, every bit of the lease', async () => {
    expect(await rowsOf(scan(GOLDEN), 9, 10)).toEqual([
      `00000000000000095f0000000000000000=0a0b2f72656769737472792f611005180920022a04763100ff30${varintHex(7587870279482933765n)}`,
      '00000000000000095f0000000000000001=0a0162100918092001',
      '000000000000000a5f000000000000000074=0a0b2f72656769737472792f61',
    ]);
  });

  test('are written as they were read', async () => {
    const rows = await rowsOf(scan(GOLDEN), 9, 10);
    const written = rows.map((row) => {
      const [key = '', value = ''] = row.split('=');
      const main = Number.parseInt(key.slice(0, 16), 16);
      const isTombstone = key.length === 36;
      return encodeEvent({ main, isTombstone, value: Buffer.from(value, 'hex'), observedMs: TIME_MS });
    });
    expect(`[${written.join(',')}]`).toBe(GOLDEN.replaceAll(TIME, '2024-02-02T12:32:07.123Z'));
  });

  test('our rows are the same after the way through their JSON, in whatever pieces', async () => {
    await fc.assert(
      fc.asyncProperty(history, fc.integer({ min: 1, max: 5_000 }), fc.boolean(), async (operations, chunk, small) => {
        const rows = rowsOfHistory(operations);
        fc.pre(rows.length > 0);
        const events = scan(jsonOf(rows), chunk);
        const found = await rowsOf(events, rows[0]!.main, rows.at(-1)!.main, small ? 600 : 1 << 30);
        expect(found).toEqual(rows.map(({ key, value }) => `${key.toString('hex')}=${value.toString('hex')}`));
      }),
      { numRuns: 60 },
    );
  });

  test('times are those of Go: no zeros at the end', () => {
    expect(
      ['00.000', '00.120', '00.100', '00.123', '10.000'].map((at) => goTime(Date.parse(`2026-11-20T06:00:${at}Z`))),
    ).toEqual(['00', '00.12', '00.1', '00.123', '10'].map((at) => `2026-11-20T06:00:${at}Z`));
  });

  test('white space, fields of later versions, prev_kv and escapes do no harm', () => {
    const [event] = scan(
      ' [ {"later":[{"deep":[null,true,-1.5e3]}], "etcdEvent" : {"type":0,"prev_kv":{"key":"YQ=="},"kv":{"key":"Y\\u0051==","create_revision":1,"mod_revision":3,"version":1,"lease":-5}},"time":"0001-01-01T00:00:00Z"} ] \n',
      3,
    );
    expect(event).toMatchObject({ isDelete: false, observedMs: undefined, kv: { lease: -5n } });
    expect(Buffer.from(event!.kv.key).toString()).toBe('a');
  });
});

function varintHex(value: bigint): string {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(rest)]).toString('hex');
}

const PUT = { key: 'YQ==', create_revision: 2, mod_revision: 2, version: 1 };
function eventOf(kv: object, rest: object = {}): string {
  return JSON.stringify([{ etcdEvent: { kv, ...rest }, time: TIME }]);
}

describe('hostile JSON is refused in words', () => {
  test.each([
    ['', 'does not end'],
    ['{}', "'[' is missing"],
    ['[', 'does not end'],
    ['[]x', 'bytes follow'],
    ['[{}]', 'no kv'],
    ['[{"etcdEvent":null}]', 'no kv'],
    ['[1]', "'{' is missing"],
    [eventOf({ ...PUT, key: '' }), 'no key'],
    [eventOf({ ...PUT, key: 'YQ' }), 'not base64'],
    [eventOf({ ...PUT, key: 'Y*==' }), 'not base64'],
    [eventOf({ key: 'YQ==' }), 'no mod_revision'],
    [eventOf({ ...PUT, version: 0 }), 'version 0'],
    [eventOf({ ...PUT, create_revision: 3 }), 'create_revision 3'],
    [eventOf(PUT, { type: 2 }), 'type 2'],
    [eventOf(PUT).replace('"version":1', '"version":1.5'), 'whole number'],
    [eventOf(PUT).replace('"version":1', '"version":01'), 'whole number'],
    [eventOf(PUT).replace('"version":1', '"version":"1"'), 'whole number'],
    [eventOf(PUT).replace('"mod_revision":2', '"mod_revision":9007199254740993'), 'out of range'],
    [eventOf(PUT).replace('"version":1', '"version":1,"lease":9223372036854775808'), '64 bits'],
    [eventOf(PUT).replace('"version":1', `"version":${'9'.repeat(40)}`), 'too many digits'],
    [eventOf(PUT).replace(TIME, 'yesterday'), 'RFC 3339'],
    [eventOf(PUT).replace('"key"', `"x":${'['.repeat(40)}${']'.repeat(40)},"key"`), 'nested too deeply'],
    [eventOf(PUT).replace('"key"', '"x":nothing,"key"'), 'none of JSON'],
    [eventOf(PUT).replace('"YQ=="', '"\\q"'), 'escape'],
    [eventOf(PUT).slice(0, -1), 'does not end'],
  ])('%s', (json, rule) => {
    for (const chunkBytes of [1, 1 << 20]) {
      expect(() => scan(json, chunkBytes)).toThrow(expect.objectContaining({ code: 'DELTA_DAMAGED' }));
      expect(() => scan(json, chunkBytes)).toThrow(rule);
    }
  });

  test('an event that does not end is not gathered for ever', () => {
    expect(() => scan(`[{"etcdEvent":{"kv":{"key":"${'A'.repeat(100_000)}`, 1_000, 20_000)).toThrow(
      expect.objectContaining({ code: 'LIMIT_EXCEEDED' }),
    );
  });

  test('any bytes give events or an error of ours', () => {
    fc.assert(
      fc.property(fc.nat(GOLDEN.length - 1), fc.uint8Array({ minLength: 1, maxLength: 4 }), (at, bytes) => {
        const json = Buffer.from(GOLDEN);
        json.set(bytes.subarray(0, json.length - at), at);
        try {
          scan(json, 50);
        } catch (error) {
          expect(error).toMatchObject({ code: 'DELTA_DAMAGED' });
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('revisions must be what the name promises', () => {
  const [nine, nineToo, ten] = scan(GOLDEN) as [KeyEvent, KeyEvent, KeyEvent];
  const at = (revision: number): KeyEvent => ({ ...nine, kv: { ...nine.kv, modRevision: revision } });
  test.each([
    [[nine, nineToo], 9, 10, 'ends at revision 9'],
    [[], 9, 10, 'holds no event'],
    [[ten], 9, 10, 'the revisions 9 to 9 are missing'],
    [[nine, at(12)], 9, 12, 'the revisions 10 to 11 are missing'],
    [[nine, ten, nineToo], 9, 10, 'revision 9 comes behind revision 10'],
    [[nine, ten], 9, 9, 'its name ends at 9'],
    [[at(8), nine], 9, 9, 'revision 8 comes behind'],
  ])('%#: %s', async (events, first, last, rule) => {
    await expect(rowsOf(events, first, last)).rejects.toMatchObject({ code: 'DELTA_DAMAGED' });
    await expect(rowsOf(events, first, last)).rejects.toThrow(rule);
  });
});
