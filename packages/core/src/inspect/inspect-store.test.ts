import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import { BoltFile } from '../bolt/bolt-file.ts';
import { GOLDEN_SNAPSHOT, Scratch } from '../bolt/testing/scratch.ts';
import { ROW_BUCKET } from '../mvcc/store-info.ts';
import { inspectStore } from './inspect-store.ts';

const scratch = new Scratch();
afterAll(() => scratch[Symbol.dispose]());

/** etcd's own snapshot with one row changed, wherever a copy of it lies: sound bbolt, and no hash fits any more. */
function withRow(change: (value: Buffer) => void): { path: string; place: RegExp } {
  const bytes = readFileSync(GOLDEN_SNAPSHOT);
  using file = BoltFile.open(GOLDEN_SNAPSHOT);
  const [leaf] = file.bucket(ROW_BUCKET)!.leaves();
  const value = Buffer.from(leaf!.value(1));
  const changed = Buffer.from(value);
  change(changed);
  for (let at = bytes.indexOf(value); at >= 0; at = bytes.indexOf(value, at + 1)) changed.copy(bytes, at);
  const path = scratch.file();
  writeFileSync(path, bytes);
  return { path, place: new RegExp(`^${path}: Bucket key, page ${leaf!.id}, entry 1: the row of revision \\d+ `) };
}

test('a sound snapshot is sound with its hash and without a look at it', async () => {
  expect(await inspectStore(GOLDEN_SNAPSHOT)).toMatchObject({ trailingHash: 'right' });
  const unhashed = await inspectStore(GOLDEN_SNAPSHOT, { checkHash: false });
  expect(unhashed).toMatchObject({ trailingHash: 'absent', rows: { count: expect.any(Number) } });
});

test.each([
  [
    'a value that is no message',
    (value: Buffer) => void value.fill(0xff),
    /no mvccpb.KeyValue .*a number does not end$/,
  ],
  ['a value without a key', (value: Buffer) => void value.fill(0), /no mvccpb.KeyValue|names no key/],
])('%s: file, page, entry and rule are named, also where no hash is looked at', async (_, change, rule) => {
  const { path, place } = withRow(change);
  const error: unknown = await inspectStore(path, { checkHash: false }).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'MVCC_DAMAGED', message: expect.stringMatching(place), facts: { path } });
  expect((error as Error).message).toMatch(rule);
  // With it, the wrong hash counts more.
  await expect(inspectStore(path)).rejects.toMatchObject({ code: 'SNAPSHOT_HASH_MISMATCH' });
});
