import { expect, test } from 'vitest';
import { chooseWay, type BacklogFacts, type CatchUpWay } from './catch-up-way.ts';
import { watcherSettings } from './settings.ts';

const LIMITS = watcherSettings.parse({});
const MIB = 2 ** 20;
const BACKLOG: BacklogFacts = {
  revisionsBehind: 0,
  revisionBytes: 300,
  dbBytes: 2 ** 33,
  isCompacted: false,
  revisionsBehindBefore: undefined,
};
const PLAIN: CatchUpWay = { way: 'plain' };
const segments = (segmentsMax: number): unknown => ({ way: 'segments', segmentsMax });
const snapshot = (reason: 'bytes' | 'revisions'): CatchUpWay => ({ way: 'snapshot', reason });

test.each<[string, Partial<BacklogFacts>, unknown]>([
  ['nothing behind', { revisionsBehind: 0 }, PLAIN],
  ['the head is below L', { revisionsBehind: -5 }, PLAIN],
  ['10,000 small revisions', { revisionsBehind: 10_000 }, PLAIN],
  ['10,001 small revisions', { revisionsBehind: 10_001 }, segments(55)],
  ['10,000 revisions of 2 KiB: bytes come first', { revisionsBehind: 10_000, revisionBytes: 2_048 }, segments(8)],
  ['1,000 revisions of 60 KB: one batch', { revisionsBehind: 1_000, revisionBytes: 60_000 }, PLAIN],
  ['1,000 revisions of 70 KB', { revisionsBehind: 1_000, revisionBytes: 70_000 }, snapshot('bytes')],
  ['1,001 revisions of 60 KB', { revisionsBehind: 1_001, revisionBytes: 60_000 }, segments(1)],
  ['100,000 tiny revisions', { revisionsBehind: 100_000, revisionBytes: 100 }, segments(64)],
  ['100,001 tiny revisions', { revisionsBehind: 100_001, revisionBytes: 100 }, snapshot('revisions')],
  ['100,000 revisions of 1 KB', { revisionsBehind: 100_000, revisionBytes: 1_000 }, snapshot('bytes')],
  ['the same in a small database', { revisionsBehind: 100_000, revisionBytes: 1_000, dbBytes: 20 * MIB }, segments(64)],
  ['a million', { revisionsBehind: 1_000_000 }, snapshot('bytes')],
  ['a million in a small database', { revisionsBehind: 1_000_000, dbBytes: MIB }, snapshot('revisions')],
  ['sizes unknown, few', { revisionsBehind: 1_000, revisionBytes: undefined }, PLAIN],
  ['sizes unknown, some', { revisionsBehind: 10_000, revisionBytes: undefined }, segments(4)],
  ['sizes unknown, many', { revisionsBehind: 50_000, revisionBytes: undefined }, snapshot('bytes')],
  [
    'nothing is known at all',
    { revisionsBehind: 50_000, revisionBytes: undefined, dbBytes: undefined },
    snapshot('bytes'),
  ],
  ['a million, but compacted away', { revisionsBehind: 1_000_000, isCompacted: true }, PLAIN],
  ['after a snapshot, closer', { revisionsBehind: 150_000, revisionsBehindBefore: 1_000_000 }, snapshot('revisions')],
  ['after a snapshot, not closer', { revisionsBehind: 150_000, revisionsBehindBefore: 200_000 }, segments(55)],
])('%s', (_what, facts, way) => {
  expect(chooseWay({ ...BACKLOG, ...facts }, LIMITS)).toMatchObject(way as object);
});
