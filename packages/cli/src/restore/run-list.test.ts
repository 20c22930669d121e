import type { DeltaEntry, FullEntry, Inventory } from '@etcd-ops/core';
import { expect, test } from 'vitest';
import { displayWidth } from '../help/layout.ts';
import { renderInventory } from './run-list.ts';

const START_MS = Date.parse('2026-11-20T06:00:00Z');

function full(timeline: number, revision: number, more: { stale?: true } = {}): FullEntry {
  const createdAtMs = START_MS + revision * 1_000;
  const manifest = { createdAt: new Date(createdAtMs).toISOString(), compactRevision: revision, ...more };
  const key = `生产/t0000000${timeline}/full/${String(revision).padStart(20, '0')}.db`;
  return { key, timeline, revision, createdAtMs, bytes: 2_000_000, modifiedAtMs: createdAtMs, manifest } as FullEntry;
}

function delta(timeline: number, first: number, last: number): DeltaEntry {
  const lastObservedMs = START_MS + last * 1_000;
  return { key: `d${first}`, timeline, first, last, lastObservedMs, bytes: 1_500, modifiedAtMs: lastObservedMs };
}

const INVENTORY: Inventory = {
  cluster: '生产',
  timelines: [
    {
      timeline: 1,
      fulls: [full(1, 100), full(1, 200, { stale: true })],
      deltas: [delta(1, 101, 150), delta(1, 231, 240)],
    },
    {
      timeline: 2,
      record: {
        version: 1,
        timeline: 2,
        cause: 'fork',
        startedAtRevision: 180,
        startedAt: '',
        clusterId: '1',
      } as never,
      fulls: [full(2, 190)],
      deltas: [],
    },
  ],
  foreign: ['生产/notes.txt'],
  incomplete: [{ key: 'x.db', missing: 'manifest', bytes: 1, modifiedAtMs: 1 }],
  damaged: [{ key: 'y.json', reason: 'it is no JSON' }],
};

test('what must be seen is seen: ranges, stale fulls, what follows each, forks, gaps, damage', () => {
  const text = renderInventory(INVENTORY, 200);
  expect(text).toMatch(/^ +1 +100 +150 +2026-11-20 06:01:40Z +2026-11-20 06:02:30Z$/m);
  expect(text).toMatch(/^ +1 +100 +2026-11-20 06:01:40Z +2\.0 MB +1, 1\.5 kB +生产\/t00000001/m);
  expect(text).toMatch(/^ +1 +200 .*MB +1, 1\.5 kB +stale +生产/m);
  expect(text).toContain('3 fulls and 2 deltas, 6.0 MB');
  expect(text).toMatch(/^Timeline 2: begun at revision 180, since the cluster did not go on/m);
  expect(text).toMatch(/^Gap: timeline 1, revisions 201 onwards/m);
  expect(text).toMatch(/^Gap: timeline 1, revisions 151 to 199 cannot be restored$/m);
  expect(text).toMatch(/^Incomplete: x\.db has no manifest$/m);
  expect(text).toMatch(/^Damaged: y\.json: it is no JSON$/m);
  expect(text).toMatch(/somebody else, left alone: 1$/m);
});

test('on a narrow terminal no row is broken in its middle: keys stand whole on lines of their own', () => {
  const lines = renderInventory(INVENTORY, 90).split('\n');
  const keys = lines.filter((line) => line.includes('生产/t'));
  expect(keys).toHaveLength(3);
  for (const line of keys) expect(line).toMatch(/^ {4}生产\/t\d{8}\/full\/\d{20}\.db$/);
  for (const line of lines.filter((one) => /^ +\d/.test(one))) expect(displayWidth(line)).toBeLessThanOrEqual(90);
});
