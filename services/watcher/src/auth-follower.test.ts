import { expect, test } from 'vitest';
import { authFullIsDue } from './auth-follower.ts';

test.each([
  ['the same as in the newest full', { current: 7, recorded: 7, askedFor: undefined }, false],
  ['moved on', { current: 8, recorded: 7, askedFor: undefined }, true],
  ['moved on, and asked for', { current: 8, recorded: 7, askedFor: 8 }, false],
  ['moved on once more', { current: 9, recorded: 7, askedFor: 8 }, true],
  ['lower: the cluster was replaced', { current: 2, recorded: 7, askedFor: undefined }, true],
  ['no full yet: the first one will hold it', { current: 8, recorded: undefined, askedFor: undefined }, false],
  ['etcd 3.4 does not say', { current: undefined, recorded: 7, askedFor: undefined }, false],
])('an auth revision %s', (_, state, due) => {
  expect(authFullIsDue(state)).toBe(due);
});
