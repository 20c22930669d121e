import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  DeltaEncoder,
  deltaKey,
  encodeManifest,
  fullKey,
  LocalStore,
  manifestKey,
  readInventory,
  RowBlock,
  RowBlockBuilder,
} from '@etcd-ops/core';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { misnamedDeltas } from './misnamed-deltas.ts';

const CREATED_MS = Date.UTC(2026, 10, 20);
const SHA256 = 'ab'.repeat(32);
const { signal } = new AbortController();
let directory: string;
let store: LocalStore;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'etcd-ops-misnamed-'));
  store = new LocalStore(directory);
  await putFull();
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const keyOf = (first: number, last: number): string =>
  deltaKey({ cluster: 'prod', timeline: 1, first, last, lastObservedMs: CREATED_MS + last });

function deltaOf(first: number, last: number): Buffer {
  const rows = new RowBlockBuilder();
  for (let revision = first; revision <= last; revision++) rows.append(revision, 0, false, Buffer.from('x'));
  const encoder = new DeltaEncoder({ clusterId: 1n, timeline: 1, epoch: '0'.repeat(32) });
  encoder.addRows(RowBlock.parse(rows.take()));
  encoder.addTime(last, CREATED_MS + last);
  return encoder.finish().bytes;
}

async function putFull(): Promise<void> {
  const facts = { cluster: 'prod', timeline: 1, revision: 10, codec: 'none' } as const;
  const key = fullKey({ ...facts, createdAtMs: CREATED_MS });
  await store.put(key, Buffer.from('a database'));
  const at = new Date(CREATED_MS).toISOString();
  const manifest = encodeManifest({
    ...{ version: 1, kind: 'full', ...facts, compactRevision: -1, lastRevisionDigest: SHA256, lastRevisionRows: 1 },
    ...{ clusterId: '1', memberId: '1', etcdVersion: '3.5.16', createdAt: at, finishedAt: at, cause: 'schedule' },
    ...{ plainBytes: 10, plainSha256: SHA256, storedBytes: 10, storedSha256: SHA256 },
  });
  await store.put(manifestKey(key), manifest);
}

const found = async (): Promise<unknown> => await misnamedDeltas(store, await readInventory(store, 'prod'), signal);

test('deltas that hold what they are called are nothing to speak of; nor is a repository without any', async () => {
  expect(await found()).toEqual([]);
  await store.put(keyOf(11, 20), deltaOf(11, 20));
  await store.put(keyOf(21, 30), deltaOf(21, 30));
  expect(await found()).toEqual([]);
  expect(await misnamedDeltas(store, await readInventory(store, 'other'), signal)).toEqual([]);
});

test('a delta that begins or ends elsewhere than its name says is seen, too', async () => {
  await store.put(keyOf(11, 20), deltaOf(15, 20));
  await store.put(keyOf(21, 30), deltaOf(21, 28));
  expect(await found()).toEqual([
    { key: keyOf(11, 20), reason: 'its bytes are those of the revisions 15 to 20 of timeline 1' },
    { key: keyOf(21, 30), reason: 'its bytes are those of the revisions 21 to 28 of timeline 1' },
  ]);
});

test('the bytes of another delta, and an end that cannot be read, are told from each other', async () => {
  await store.put(keyOf(11, 20), deltaOf(21, 30));
  await store.put(keyOf(21, 30), deltaOf(21, 30).fill(0, deltaOf(21, 30).length - 40));
  expect(await found()).toEqual([
    { key: keyOf(11, 20), reason: 'its bytes are those of the revisions 21 to 30 of timeline 1' },
    { key: keyOf(21, 30), reason: expect.any(String) },
  ]);
});
