import { describe, expect, it } from 'vitest';
import { AT_FIRST_ANSWER, BEFORE_WATCH, type AtFirstAnswer, type BeforeWatch } from './continuation.ts';

/** Every cell, written out again: a change of one of them must be meant. */
const BEFORE: [keyof typeof BEFORE_WATCH, 'reached' | 'below', 'not-lower' | 'lower' | 'unknown', string][] = [
  ['same', 'reached', 'not-lower', 'watch'],
  ['same', 'reached', 'unknown', 'watch'],
  ['same', 'reached', 'lower', 'fork raft-index'],
  ['same', 'below', 'not-lower', 'fork head-below'],
  ['same', 'below', 'unknown', 'fork head-below'],
  ['same', 'below', 'lower', 'fork head-below'],
  ['other', 'reached', 'not-lower', 'fork cluster-id'],
  ['other', 'reached', 'unknown', 'fork cluster-id'],
  ['other', 'reached', 'lower', 'fork cluster-id'],
  ['other', 'below', 'not-lower', 'fork cluster-id'],
  ['other', 'below', 'unknown', 'fork cluster-id'],
  ['other', 'below', 'lower', 'fork cluster-id'],
];

const ANSWER: [keyof typeof AT_FIRST_ANSWER, 'below' | 'reached', string][] = [
  ['same', 'below', 'continue proven'],
  ['same', 'reached', 'continue proven'],
  ['other', 'below', 'fork rows-differ'],
  ['other', 'reached', 'gap'],
  ['missing', 'below', 'fork rows-missing'],
  ['missing', 'reached', 'gap'],
  ['uncompared', 'below', 'continue unproven'],
  ['uncompared', 'reached', 'continue unproven'],
  ['nothing', 'below', 'wait'],
  ['nothing', 'reached', 'gap'],
  ['compacted', 'below', 'gap'],
  ['compacted', 'reached', 'gap'],
];

function text(decision: BeforeWatch | AtFirstAnswer): string {
  if (decision.decision === 'fork') return `fork ${decision.evidence}`;
  if (decision.decision === 'continue') return `continue ${decision.proven ? 'proven' : 'unproven'}`;
  return decision.decision;
}

describe('the decision whether a cluster goes on from L', () => {
  it.each(BEFORE)('before the watch: cluster %s, head %s, raft index %s -> %s', (identity, head, raft, decision) => {
    expect(text(BEFORE_WATCH[identity][head][raft])).toBe(decision);
  });

  it.each(ANSWER)('first answer %s with C %s L -> %s', (answer, compaction, decision) => {
    expect(text(AT_FIRST_ANSWER[answer][compaction])).toBe(decision);
  });

  it('lists every cell here', () => {
    const before = Object.values(BEFORE_WATCH).flatMap((heads) =>
      Object.values(heads).flatMap((raft) => Object.values(raft)),
    );
    expect(before).toHaveLength(BEFORE.length);
    expect(Object.values(AT_FIRST_ANSWER).flatMap((cells) => Object.values(cells))).toHaveLength(ANSWER.length);
  });
});
