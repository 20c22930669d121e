import type { RestorePlan } from '@etcd-ops/core';
import { expect, test } from 'vitest';
import { refuseDoubts } from './refuse-doubts.ts';

const plan = {
  cluster: 'prod',
  full: { key: 'prod/full' },
  deltas: [{ key: 'prod/delta' }],
} as unknown as RestorePlan;

test('what is in doubt is not made into a full against which nothing speaks', () => {
  expect(() => refuseDoubts(plan, {})).not.toThrow();
  expect(() => refuseDoubts(plan, { doubts: [{ key: 'prod/other', reason: 'it differs' }] })).not.toThrow();
  for (const key of ['prod/full', 'prod/delta']) {
    expect(() => refuseDoubts(plan, { doubts: [{ key, reason: 'it differs at revision 7' }] })).toThrow(
      expect.objectContaining({ code: 'PROOF_FAILED', message: expect.stringContaining(`${key}, which is in doubt`) }),
    );
  }
});
