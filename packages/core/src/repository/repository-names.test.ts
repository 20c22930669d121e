import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LocalStore } from '../storage/local-store.ts';
import { deltaKey, fullKey, manifestKey, timelineRecordKey } from './object-key.ts';
import { readRepositoryNames } from './repository-names.ts';

let folder: string;
let store: LocalStore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'names-'));
  store = new LocalStore(folder);
});
afterEach(async () => await rm(folder, { recursive: true, force: true }));

const CLUSTER = 'prod';
const full = (timeline: number, revision: number): string =>
  fullKey({ cluster: CLUSTER, timeline, revision, createdAtMs: 1, codec: 'none' });
const delta = (timeline: number, first: number, last: number): string =>
  deltaKey({ cluster: CLUSTER, timeline, first, last, lastObservedMs: 1 });
/** Nobody is to look into them. */
const put = async (...keys: string[]): Promise<void> => {
  for (const key of keys) await store.put(key, Buffer.from('junk'));
};
const read = async () => await readRepositoryNames(store, CLUSTER);

test('an empty folder names nothing', async () => {
  expect(await read()).toEqual({ newestTimeline: 0, fullsTo: 0, deltasTo: 0, deltas: [] });
});

test('the newest timeline counts, and of its fulls those that have both halves', async () => {
  await put(full(1, 90), manifestKey(full(1, 90)), delta(1, 91, 99));
  await put(full(2, 50), manifestKey(full(2, 50)), full(2, 70), manifestKey(full(2, 80)));
  await put(delta(2, 51, 60), delta(2, 61, 65), delta(2, 51, 65));
  const { deltas, ...names } = await read();
  expect(names).toEqual({ newestTimeline: 2, fullsTo: 50, deltasTo: 65 });
  expect(deltas.map(({ first, last, bytes }) => [first, last, bytes])).toEqual([
    [51, 60, 4],
    [51, 65, 4],
    [61, 65, 4],
  ]);
});

test('a delta and a timeline of which nothing else is known are named', async () => {
  await put(delta(1, 5, 7));
  expect(await read()).toMatchObject({ newestTimeline: 1, fullsTo: 0, deltasTo: 7 });
  await put(timelineRecordKey(CLUSTER, 3), 'prod/notes.txt', 'product/t00000009/timeline.json');
  expect(await read()).toEqual({ newestTimeline: 3, fullsTo: 0, deltasTo: 0, deltas: [] });
});
