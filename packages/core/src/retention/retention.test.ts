import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Inventory } from '../repository/inventory.ts';
import { inventoryOf, minute, type SampleFull } from '../repository/repository-samples.ts';
import { lossesOf } from './losses.ts';
import { retentionPolicyOf, type PolicySettings } from './policy.ts';
import { planRetention, type RetentionOptions, type RetentionPlan } from './plan-retention.ts';
import { retentionHistory } from './retention-arbitrary.ts';

const OPTIONS: RetentionOptions = { nowMs: minute(100_000), orphanGraceMs: 3_600_000 };
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

function policy(settings: Partial<PolicySettings> = {}) {
  return retentionPolicyOf({ maxBackups: 240, ...settings });
}

const names = (decisions: RetentionPlan['keep']): string[] =>
  decisions.map(
    ({ keys, reason }) =>
      `${keys.map((key) => key.split('/').at(-1)!.replaceAll(/0{4,}/g, '')).join(' + ')}: ${reason}`,
  );

/** The times of the fulls that a policy leaves of these, as `11-20T06:00`. */
function keptTimes(times: readonly string[], now: string, settings: Partial<PolicySettings>): string[] {
  const fulls = times.map((time, index): SampleFull => ({
    revision: index + 1,
    compact: index + 1,
    createdAtMs: Date.parse(time),
  }));
  const inventory = inventoryOf(fulls, []);
  const plan = planRetention(inventory, policy(settings), { ...OPTIONS, nowMs: Date.parse(now) });
  const going = new Set(plan.remove.flatMap(({ keys }) => keys));
  return inventory.timelines
    .flatMap((timeline) => timeline.fulls)
    .filter(({ key }) => !going.has(key))
    .map(({ createdAtMs }) => new Date(createdAtMs).toISOString().slice(5, 16));
}

test('decisions have reasons, and both rules for deltas', () => {
  const inventory = inventoryOf(
    [10, 20, 30].map((revision) => ({ revision, createdAtMs: revision })),
    [5, 11, 16, 21, 26, 31].map((first) => ({ first, last: first + 4, lastObservedMs: first })),
  );
  const withBase = planRetention(inventory, policy({ maxBackups: 2 }), OPTIONS);
  expect(names(withBase.remove)).toEqual([
    '10-10.db.json + 10-10.db: no rule of the policy keeps it',
    '16-20-16.delta: no kept full needs it',
    '11-15-11.delta: no kept full needs it',
    '5-9-5.delta: no kept full needs it',
  ]);
  expect(names(withBase.keep)).toEqual([
    '20-20.db.json + 20-20.db: among the newest 2 fulls',
    '30-30.db.json + 30-30.db: the newest chain',
    '21-25-21.delta: a kept full needs it',
    '26-30-26.delta: a kept full needs it',
    '31-35-31.delta: the newest chain',
  ]);
  const newest = planRetention(inventory, policy({ maxBackups: 3, deltaRetention: 'newest-chain' }), OPTIONS);
  expect(newest.remove.map(({ keys }) => Number(keys[0]!.split('/').at(-1)!.slice(0, 20)))).toEqual([
    26, 21, 16, 11, 5,
  ]);
});

test('the newest proof of a chain that is still there keeps it, with its deltas', () => {
  const inventory = inventoryOf(
    [10, 20, 30].map((revision) => ({ revision })),
    [5, 11, 16].map((first) => ({ first, last: first + 4 })),
  );
  const [old, middle] = inventory.timelines[0]!.fulls.map(({ key }) => key);
  const planned = (provenFullKeys: string[]) =>
    planRetention(inventory, policy({ maxBackups: 1, deltaRetention: 'newest-chain' }), { ...OPTIONS, provenFullKeys });
  const held = planned(['prod/gone', old!, middle!]);
  expect(held.keep.find(({ keys }) => keys[1] === old)?.reason).toBe('the last chain that was proved');
  expect(names(held.remove)).toEqual([expect.stringContaining('20-'), expect.stringContaining('5-9-')]);
  expect(planned([middle!]).remove.map(({ kind }) => kind)).toEqual(['full', 'delta', 'delta', 'delta']);
});

test('fulls are counted over all timelines, newest timeline first', () => {
  const inventory = inventoryOf(
    [{ revision: 90 }, { revision: 95 }, { timeline: 2, revision: 10 }, { timeline: 2, revision: 20 }],
    [{ first: 91, last: 99 }],
  );
  const plan = planRetention(inventory, policy({ maxBackups: 3 }), OPTIONS);
  expect(plan.remove.map(({ keys }) => keys[1])).toEqual([inventory.timelines[0]!.fulls[0]!.key]);
  const one = planRetention(inventory, policy({ maxBackups: 1 }), OPTIONS);
  expect(one.keep.filter(({ kind }) => kind === 'full').map(({ keys }) => keys[1])).toEqual([
    inventory.timelines[1]!.fulls[1]!.key,
  ]);
});

test('the newest full of each period, in a time zone', () => {
  const times = [
    '2026-11-16T10:00:00Z',
    '2026-11-18T15:59:00Z', // In Shanghai, the last minute of the 18th.
    '2026-11-18T16:01:00Z',
    '2026-11-19T10:00:00Z',
    '2026-11-19T10:40:00Z',
    '2026-11-20T06:00:00Z',
  ];
  const now = '2026-11-20T07:00:00Z';
  expect(keptTimes(times, now, { keepDaily: 2 })).toEqual(['11-19T10:40', '11-20T06:00']);
  expect(keptTimes(times, now, { keepDaily: 3 })).toEqual(['11-18T16:01', '11-19T10:40', '11-20T06:00']);
  expect(keptTimes(times, now, { keepDaily: 3, timeZone: 'Asia/Shanghai' })).toEqual([
    '11-18T15:59',
    '11-19T10:40',
    '11-20T06:00',
  ]);
  expect(keptTimes(times, now, { keepHourly: 2, keepWeekly: 5 })).toEqual(['11-19T10:40', '11-20T06:00']);
  expect(keptTimes(times, now, { keepWithinMs: DAY_MS })).toEqual(['11-19T10:00', '11-19T10:40', '11-20T06:00']);
  // A named policy and rules are joined; rules alone need no name.
  expect(keptTimes(times, now, { policy: 'LimitBased', maxBackups: 2, keepDaily: 3 })).toHaveLength(3);
  expect(keptTimes(times, now, { keepLast: 4 })).toHaveLength(4);
  expect(keptTimes(times, now, { keepLast: 0 })).toHaveLength(6);
});

test('an hour that clocks show twice is two hours; one that they leave out is none', () => {
  const twice = ['2026-10-25T00:30:00Z', '2026-10-25T01:30:00Z'];
  const berlin = { keepHourly: 2, timeZone: 'Europe/Berlin' };
  expect(keptTimes(twice, '2026-10-25T02:00:00Z', berlin)).toHaveLength(2);
  // Days: the one that clocks are set back on is 25 hours long.
  const long = ['2026-10-24T22:10:00Z', '2026-10-25T22:50:00Z', '2026-10-25T23:10:00Z'];
  expect(keptTimes(long, '2026-10-26T00:00:00Z', { keepDaily: 2, timeZone: 'Europe/Berlin' })).toEqual([
    '10-25T22:50',
    '10-25T23:10',
  ]);
  expect(() => keptTimes(long, '2026-10-26T00:00:00Z', { keepDaily: 2, timeZone: 'Mars/Olympus' })).toThrow(
    'Mars/Olympus is no time zone',
  );
});

test('inside of the window every moment stays, outside of it fulls alone', () => {
  const hours = Array.from({ length: 48 }, (_, hour) => hour);
  const start = minute(0);
  // A full each hour on the hour, a delta each half hour.
  const inventory = inventoryOf(
    hours.map((hour) => ({ revision: hour * 10 + 1, compact: hour * 10 + 1, createdAtMs: start + hour * HOUR_MS })),
    hours.flatMap((hour) => [
      { first: hour * 10 + 2, last: hour * 10 + 6, lastObservedMs: start + hour * HOUR_MS + HOUR_MS / 2 },
      { first: hour * 10 + 7, last: hour * 10 + 11, lastObservedMs: start + (hour + 1) * HOUR_MS },
    ]),
  );
  const nowMs = start + 48 * HOUR_MS;
  const settings = { keepDaily: 5, pointInTimeWindowMs: 8 * HOUR_MS };
  const plan = planRetention(inventory, policy(settings), { ...OPTIONS, nowMs });
  const { lost, left } = lossesOf(inventory, plan.remove);
  // The last of each day, and from the state eight hours ago on everything.
  expect(left.map(({ from, to }) => [from, to])).toEqual([
    [171, 171],
    [401, 481],
  ]);
  expect(lost.map(({ from, to }) => [from, to])).toEqual([
    [1, 170],
    [172, 400],
  ]);
  expect(lost[0]!.fromTimeMs).toBe(start);
  // With the chains kept, nothing behind the oldest full goes.
  const chains = planRetention(inventory, policy({ ...settings, deltaRetention: 'with-base' }), { ...OPTIONS, nowMs });
  expect(lossesOf(inventory, chains.remove).left.map(({ from, to }) => [from, to])).toEqual([[171, 481]]);
});

test('where backups have stopped, ages stop: nothing goes for the sake of time alone', () => {
  const times = ['2026-11-01T00:00:00Z', '2026-11-02T00:00:00Z', '2026-11-03T00:00:00Z'];
  for (const now of ['2026-11-03T00:01:00Z', '2027-11-04T00:00:00Z']) {
    expect(keptTimes(times, now, { keepWithinMs: 2 * DAY_MS })).toHaveLength(3);
    expect(keptTimes(times, now, { keepWithinMs: DAY_MS })).toHaveLength(2);
    expect(keptTimes(times, now, { keepLast: 1, pointInTimeWindowMs: DAY_MS })).toHaveLength(2);
  }
  expect(keptTimes(times, '2027-11-04T00:00:00Z', { policy: 'Exponential' })).toHaveLength(3);
});

test('what a pin needs stays, and no more', () => {
  const inventory = inventoryOf(
    [10, 20, 30].map((revision) => ({ revision, compact: revision })),
    [11, 16, 21, 26].map((first) => ({ first, last: first + 4 })),
  );
  const full = inventory.timelines[0]!.fulls[0]!.key;
  const plan = planRetention(inventory, policy({ maxBackups: 1 }), {
    ...OPTIONS,
    pins: [{ timeline: 1, revision: 13, full }],
  });
  expect(names(plan.keep.filter(({ code }) => code === 'pinned'))).toEqual([
    expect.stringContaining('pinned at revision 13'),
    expect.stringMatching(/^11-15.*a pinned revision needs it/),
  ]);
  expect(lossesOf(inventory, plan.remove).left.map(({ from, to }) => [from, to])).toEqual([
    [10, 15],
    [30, 30],
  ]);
});

test('a larger delta replaces smaller ones when it has lain there for a while and nothing speaks against it', () => {
  const inventory = inventoryOf(
    [{ revision: 10 }],
    [
      { first: 11, last: 15 },
      { first: 16, last: 20 },
      { first: 11, last: 20, modifiedAtMs: OPTIONS.nowMs - OPTIONS.orphanGraceMs },
      { first: 21, last: 25 },
    ],
  );
  const removed = (found: Inventory, nowMs: number): string[] =>
    names(planRetention(found, policy(), { ...OPTIONS, nowMs }).remove);
  expect(removed(inventory, OPTIONS.nowMs)).toEqual([
    expect.stringMatching(/^16-20.*a larger delta holds the same revisions/),
    expect.stringMatching(/^11-15/),
  ]);
  expect(removed(inventory, OPTIONS.nowMs - 1)).toEqual([]);
  const key = inventory.timelines[0]!.deltas.find(({ last, first }) => first === 11 && last === 20)!.key;
  expect(removed({ ...inventory, doubts: [{ key, reason: 'it differs' }] }, OPTIONS.nowMs)).toEqual([]);
});

test('what the store protects is not tried', () => {
  const inventory = inventoryOf([{ revision: 10 }, { revision: 20 }, { revision: 30 }], []);
  const keys = inventory.timelines[0]!.fulls.map(({ key }) => key);
  const locked = new Map([[`${keys[0]!}.json`, 'under legal hold']]);
  const plan = planRetention(inventory, policy({ maxBackups: 1 }), { ...OPTIONS, locked });
  expect(plan.remove.map((decision) => decision.keys[1])).toEqual([keys[1]]);
  expect(plan.keep.find(({ code }) => code === 'locked')).toMatchObject({
    keys: [`${keys[0]!}.json`, keys[0]],
    reason: 'under legal hold; no rule of the policy keeps it',
  });
});

test('halves and stranded deltas wait for their grace; damage and foreign files stay', () => {
  const young = OPTIONS.nowMs - 1000;
  const old = OPTIONS.nowMs - OPTIONS.orphanGraceMs;
  const inventory = inventoryOf(
    [{ revision: 10 }, { revision: 50, compact: 40 }],
    [
      { first: 20, last: 25, modifiedAtMs: young },
      { first: 26, last: 27, modifiedAtMs: old },
      { first: 60, last: 70, modifiedAtMs: old },
    ],
  );
  const half = (key: string, modifiedAtMs: number): Inventory['incomplete'][0] => ({
    key,
    missing: 'manifest',
    bytes: 5,
    modifiedAtMs,
  });
  inventory.incomplete.push(half('prod/a', young), half('prod/b', old), { ...half('prod/c', old), missing: 'data' });
  inventory.damaged.push({ key: 'prod/d', reason: 'the manifest is damaged' });
  inventory.foreign.push('prod/notes.txt');
  const plan = planRetention(inventory, policy(), OPTIONS);
  expect(plan.remove.map(({ keys, reason }) => [keys[0]!.split('/').at(-1)!.slice(0, 20), reason])).toEqual([
    ['00000000000000000026', 'no chain reaches it'],
    ['b', 'a full without manifest'],
    ['c', 'a manifest without its full'],
  ]);
  const reasons = plan.keep.filter(({ kind }) => kind !== 'full').map(({ reason }) => reason);
  expect(reasons).toEqual([
    'no chain reaches it, but it is young',
    'nothing newer replaces it yet',
    'a full without manifest, perhaps being written',
    'the manifest is damaged: left for a person to judge',
  ]);
  expect([...plan.keep, ...plan.remove].flatMap(({ keys }) => keys)).not.toContain('prod/notes.txt');
});

test('what an ended timeline captured behind its last full goes with that full, once it is old', () => {
  const young = OPTIONS.nowMs - OPTIONS.orphanGraceMs + 1;
  const deltas = [
    { first: 11, last: 20 },
    { first: 30, last: 40 },
    { first: 50, last: 60, modifiedAtMs: young },
  ];
  const inventory = inventoryOf([{ revision: 10 }], deltas);
  const removed = (maxBackups: number): string[] =>
    planRetention(inventory, policy({ maxBackups }), OPTIONS)
      .remove.filter(({ kind }) => kind === 'delta')
      .map(({ keys }) => keys[0]!.split('/').at(-1)!.slice(18, 20));
  // As long as no newer timeline has a base, this one may go on.
  expect(removed(1)).toEqual([]);
  const [next] = inventoryOf([{ revision: 15 }], []).timelines;
  inventory.timelines.push({ ...next!, timeline: 2, fulls: [{ ...next!.fulls[0]!, timeline: 2, key: 'prod/t2' }] });
  expect(removed(2)).toEqual(['30']);
  // Nothing kept lies before them: nobody can ever need them.
  expect(removed(1)).toEqual(['50', '30', '11']);
  inventory.timelines[0]!.fulls = [];
  expect(removed(1)).toEqual(['50', '30', '11']);
});

test('compacting the backups of a dead cluster each night lets no time pass, and is no backup of a later day', () => {
  const fulls = [100, 200, 300, 400].map((revision) => ({
    revision,
    createdAtMs: OPTIONS.nowMs - ((500 - revision) * DAY_MS) / 100,
  }));
  const daysLater = (days: number): number => OPTIONS.nowMs + days * DAY_MS;
  const products = [2, 3, 4, 5].map((days) => ({
    revision: 400,
    compact: 400,
    createdAtMs: daysLater(days),
    manifest: { cause: 'compact', seenAt: new Date(fulls.at(-1)!.createdAtMs).toISOString() },
  }));
  const rules = policy({ keepWithinMs: 2.5 * DAY_MS });
  const removed = (all: typeof fulls, nowMs: number): string[] =>
    planRetention(inventoryOf(all, []), rules, { ...OPTIONS, nowMs }).remove.flatMap(({ keys }) => keys);
  const before = removed(fulls, OPTIONS.nowMs);
  expect(before).toHaveLength(2);
  expect(removed([...fulls, ...products], daysLater(6))).toEqual(before);
});

test('KeepAlways keeps everything', () => {
  fc.assert(
    fc.property(retentionHistory, (inventory) => {
      const plan = planRetention(inventory, policy({ policy: 'KeepAlways' }), { ...OPTIONS, orphanGraceMs: 0 });
      expect(plan.remove).toEqual([]);
    }),
    { numRuns: 50 },
  );
});
