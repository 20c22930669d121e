import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseObjectKey } from './object-key.ts';
import { parseRetentionKey, retentionRecordId, retentionRecordKey } from './retention-key.ts';
import {
  decodeHold,
  decodeMark,
  decodePin,
  encodeHold,
  encodeMark,
  encodePin,
  type HoldRecord,
  type MarkRecord,
  type PinRecord,
} from './retention-records.ts';

const FULL = 'prod/t00000001/full/00000000000000000100-1795154400000.db.zst';
const PIN: PinRecord = {
  version: 1,
  kind: 'pin',
  id: '1795154400000-0123abcd',
  cluster: 'prod',
  timeline: 1,
  revision: 123,
  full: FULL,
  time: '2026-11-20T06:00:00.000Z',
  reason: 'before the upgrade to 1.31; 升级前',
  createdAt: '2026-11-20T07:00:00.000Z',
  until: '2026-12-20T07:00:00.000Z',
};
const HOLD: HoldRecord = {
  version: 1,
  kind: 'hold',
  cluster: 'prod',
  purpose: 'restore',
  holder: 'host-1/4711',
  createdAt: '2026-11-20T07:00:00.000Z',
  ttlMs: 300_000,
  chain: { timeline: 1, full: FULL, to: 200 },
};
const MARK: MarkRecord = {
  version: 1,
  kind: 'mark',
  cluster: 'prod',
  markedAt: '2026-11-20T07:00:00.000Z',
  keys: [FULL.slice('prod/'.length), `${FULL}.json`.slice('prod/'.length)],
  refused: [{ key: FULL.slice('prod/'.length), at: '2026-11-20T08:00:00.000Z', times: 2 }],
};

/** As version 1 wrote them, for ever readable. (ETCD_OPS_WRITE_GOLDEN=1 writes files that do not exist yet.) */
async function golden(name: string, bytes: Buffer): Promise<Buffer> {
  const path = join(import.meta.dirname, 'fixtures', name);
  if (process.env['ETCD_OPS_WRITE_GOLDEN'] === '1') await writeFile(path, bytes, { flag: 'wx' });
  const found = await readFile(path);
  expect(bytes.toString()).toBe(found.toString());
  return found;
}

test('pins, holds and marks of version 1', async () => {
  expect(decodePin(await golden('pin-v1.json', encodePin(PIN)))).toEqual(PIN);
  expect(decodeHold(await golden('hold-v1.json', encodeHold(HOLD)))).toEqual(HOLD);
  expect(decodeMark(await golden('mark-v1.json', encodeMark(MARK)))).toEqual(MARK);
  const { time: _, until: __, ...endless } = PIN;
  expect(decodePin(encodePin(endless))).toEqual(endless);
});

test('a record with a flipped bit is damaged, or as it was', () => {
  const bytes = encodePin(PIN);
  fc.assert(
    fc.property(fc.nat(bytes.length * 8 - 1), (bit) => {
      const changed = Buffer.from(bytes);
      changed[bit >>> 3]! ^= 1 << (bit & 7);
      try {
        expect(decodePin(changed)).toEqual(PIN);
      } catch (error) {
        expect(error).toMatchObject({ code: 'MANIFEST_DAMAGED' });
      }
    }),
  );
});

test('names lead to records and back; whatever is written otherwise is of somebody else', () => {
  const id = retentionRecordId(1_795_154_400_000, '0123abcd');
  expect(retentionRecordKey({ kind: 'pin', cluster: 'etcd.bak', id })).toBe(
    'etcd=2Ebak/pin/1795154400000-0123abcd.json',
  );
  fc.assert(
    fc.property(
      fc.constantFrom('pin' as const, 'hold' as const, 'mark' as const),
      fc.string({ minLength: 1, maxLength: 20 }).filter((name) => name.isWellFormed()),
      fc.nat(9_999_999_999_999),
      fc.stringMatching(/^[0-9a-f]{8}$/),
      (kind, cluster, nowMs, random) => {
        const facts = { kind, cluster, id: retentionRecordId(nowMs, random) };
        expect(parseRetentionKey(retentionRecordKey(facts))).toEqual(facts);
        expect(parseObjectKey(retentionRecordKey(facts))).toEqual(facts);
      },
    ),
  );
  for (const key of [
    'prod/pins/1795154400000-0123abcd.json',
    'prod/pin/1795154400000-0123ABCD.json',
    'prod/pin/795154400000-0123abcd.json',
    'prod/pin/1795154400000-0123abcd.json.bak',
    'prod/t00000001/pin/1795154400000-0123abcd.json',
    'a.b/pin/1795154400000-0123abcd.json',
  ]) {
    expect(parseObjectKey(key), key).toBeUndefined();
  }
});
