import { describe, expect, test } from 'vitest';
import { restorableRanges } from './coverage.ts';
import { reachedMsOf, seenMsAtOrBelow, seenMsOf, seenMsOfSources } from './full-times.ts';
import { fullEntry, inventoryOf, minute, type SampleDeltaName, type SampleFull } from './repository-samples.ts';
import { resolveTimeByPoints } from './time-points.ts';

const iso = (timeMs: number): string => new Date(timeMs).toISOString();
const OF_CLUSTER: SampleFull = { revision: 100 };
/** Made an hour after what it was made of was seen. */
const COMPACTED: SampleFull = {
  revision: 151,
  createdAtMs: minute(211),
  manifest: { cause: 'compact', seenAt: iso(minute(151)) },
};
/** As older versions made them. */
const COMPACTED_BEFORE: SampleFull = { ...COMPACTED, manifest: { cause: 'compact' } };
const STALE: SampleFull = { revision: 151, createdAtMs: minute(211), manifest: { stale: true } };
const DELTAS: SampleDeltaName[] = [
  { first: 101, last: 120 },
  { first: 121, last: 151 },
];

test.each([
  ['of the cluster', OF_CLUSTER, minute(100), minute(100)],
  ['compacted', COMPACTED, minute(151), minute(151)],
  ['compacted by an older version', COMPACTED_BEFORE, minute(211), undefined],
  ['stale', STALE, minute(211), undefined],
])(
  'a full that is %s: when its revision had surely been reached, and when the cluster was seen',
  (_, sample, reached, seen) => {
    const full = fullEntry(sample);
    expect(reachedMsOf(full)).toBe(reached);
    expect(seenMsOf(full)).toBe(seen);
  },
);

describe('a full that was made, or given by a member without a quorum', () => {
  test.each([
    ['compacted', COMPACTED],
    ['compacted by an older version', COMPACTED_BEFORE],
    ['stale', STALE],
  ])('does not make the end of what can be restored any younger: %s', (_, sample) => {
    const [before] = restorableRanges(inventoryOf([OF_CLUSTER], DELTAS));
    expect(before).toMatchObject({ to: 151, toTimeMs: minute(151) });
    const inventory = inventoryOf([OF_CLUSTER, sample], DELTAS);
    expect(restorableRanges(inventory)).toEqual([before]);
    const [timeline] = inventory.timelines;
    expect(seenMsAtOrBelow(timeline!.fulls[1]!, timeline!)).toBe(minute(151));
  });

  test('tells no time at all where nothing else does', () => {
    const { timelines } = inventoryOf([STALE], []);
    expect(seenMsAtOrBelow(timelines[0]!.fulls[0]!, timelines[0]!)).toBeUndefined();
    const [range] = restorableRanges({ ...inventoryOf([STALE], []) });
    expect(range).toMatchObject({ fromTimeMs: minute(211) });
    expect(range).not.toHaveProperty('toTimeMs');
  });
});

test('a time means what the deltas meant, when a compacted full alone is left of them', () => {
  const { timelines } = inventoryOf([OF_CLUSTER, COMPACTED], [{ first: 152, last: 200 }]);
  expect(resolveTimeByPoints(timelines, minute(160))).toMatchObject({ revision: 151, observedMs: minute(151) });
  expect(resolveTimeByPoints(timelines, minute(150))).toMatchObject({ revision: 100 });
  // A row of a stale full, and of one of unknown sources, may be as young as the file.
  for (const sample of [STALE, COMPACTED_BEFORE]) {
    const unknown = inventoryOf([OF_CLUSTER, sample], []).timelines;
    expect(resolveTimeByPoints(unknown, minute(160))).toMatchObject({ revision: 100, uncertainTo: { revision: 151 } });
  }
});

test('what is made of others was seen when the newest of them was; it claims no time that none of them tells', () => {
  const base = fullEntry(OF_CLUSTER);
  const at = (lastObservedMs: number) => ({ lastObservedMs });
  expect(seenMsOfSources(base, [])).toBe(minute(100));
  expect(seenMsOfSources(base, [at(minute(120)), at(minute(151))])).toBe(minute(151));
  expect(seenMsOfSources(base, [at(minute(120)), at(0)])).toBeUndefined();
  expect(seenMsOfSources(fullEntry(COMPACTED), [])).toBe(minute(151));
  expect(seenMsOfSources(fullEntry(COMPACTED_BEFORE), [])).toBeUndefined();
  expect(seenMsOfSources(fullEntry(STALE), [])).toBeUndefined();
  expect(seenMsOfSources(fullEntry(STALE), [at(minute(300))])).toBe(minute(300));
});
