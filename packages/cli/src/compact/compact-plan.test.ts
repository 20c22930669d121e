import type { Inventory, ObjectStore } from '@etcd-ops/core';
import { expect, test } from 'vitest';
import { planCompaction } from './compact-plan.ts';

const HOUR = 3_600_000;
const START_MS = Date.UTC(2026, 10, 20, 6);

const full = (revision: number, compactRevision: number, createdAtMs: number): object => ({
  ...{ key: `prod/${revision}`, timeline: 1, revision, createdAtMs, bytes: 10, modifiedAtMs: createdAtMs },
  manifest: { compactRevision, plainBytes: 10 },
});
const delta = (first: number, last: number, lastObservedMs: number): object => ({
  ...{ key: `prod/${first}-${last}`, timeline: 1, first, last, lastObservedMs, bytes: 10, modifiedAtMs: 0 },
});
const inventoryOf = (fulls: object[], deltas: object[]): Inventory =>
  ({
    ...{ cluster: 'prod', timelines: [{ timeline: 1, fulls, deltas }], foreign: [], incomplete: [], damaged: [] },
  }) as unknown as Inventory;

/** The times inside of a delta are not to be had: its name must do. */
const store = { get: () => Promise.reject(new Error('nothing is to be read')) } as unknown as ObjectStore;
const compactAt = async (inventory: Inventory, keepHistory: string, nowMs: number): Promise<number> => {
  const { signal } = new AbortController();
  const plan = await planCompaction({ keepHistory }, { store, inventory, identities: undefined, nowMs, signal });
  return plan.compactAt;
};

test('history is kept from the revision of that time on; backups that are younger keep all of it', async () => {
  const inventory = inventoryOf(
    [full(10, -1, START_MS), full(20, 15, START_MS + 2 * HOUR)],
    [delta(11, 20, START_MS + HOUR), delta(21, 30, START_MS + 3 * HOUR)],
  );
  const nowMs = START_MS + 3 * HOUR;
  expect(await compactAt(inventory, '2h', nowMs)).toBe(20);
  expect(await compactAt(inventory, '3h', nowMs)).toBe(10);
  for (const keepHistory of ['4h', '1000h']) expect(await compactAt(inventory, keepHistory, nowMs)).toBe(1);
  expect(await compactAt(inventoryOf([full(20, 15, START_MS)], []), '1h', START_MS + 60_000)).toBe(15);
});

test('a gap is older than what leads to the head: all behind it is kept', async () => {
  const inventory = inventoryOf(
    [full(10, -1, START_MS), full(50, 40, START_MS + 2 * HOUR)],
    [delta(51, 60, START_MS + 3 * HOUR)],
  );
  expect(await compactAt(inventory, '2h', START_MS + 3 * HOUR + 60_000)).toBe(40);
});
