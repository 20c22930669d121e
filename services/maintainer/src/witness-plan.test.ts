import { describe, expect, it } from 'vitest';
import type { MemberView } from './cluster-view.ts';
import { keepsHashes, planWitness, type WitnessPlanInput } from './witness-plan.ts';

function member(index: number, version = '3.5.16', changes: Partial<MemberView> = {}): MemberView {
  const status = { version, isLeader: index === 0, errors: [] } as unknown as MemberView['status'];
  const base = { id: BigInt(index), name: `m${index}`, isLearner: false, endpoint: `h${index}:2379` };
  return { ...base, status, failure: undefined, ...changes };
}

const three = (version?: string): MemberView[] => [member(0, version), member(1, version), member(2, version)];
const plan = (changes: Partial<WitnessPlanInput>) => {
  const base = { members: three(), compactRevision: 500, lastCompactRevision: -1, lastScanMs: undefined };
  return planWitness({ ...base, nowMs: 10 * 3_600_000, mode: 'follower', ...changes });
};

describe('planWitness', () => {
  it('asks all members that keep the hash of a compaction, once for each compaction', () => {
    expect(plan({})).toMatchObject({ kind: 'free', members: [{}, {}, {}] });
    expect(plan({ members: [member(0)] })).toMatchObject({ kind: 'free' });
    expect(plan({ members: [member(0), member(1, '3.4.23')] })).toMatchObject({ kind: 'free', members: [{ id: 0n }] });
    expect(plan({ lastCompactRevision: 500 })).toMatchObject({ kind: 'none' });
    expect(plan({ lastCompactRevision: 400 })).toMatchObject({ kind: 'free' });
  });

  it('where no compaction gives one, lets one follower of three read its rows, once an hour', () => {
    for (const changes of [{ members: three('3.4.23') }, { compactRevision: -1 }]) {
      expect(plan(changes)).toMatchObject({ kind: 'scan', member: { id: 1n } });
      expect(plan({ ...changes, lastScanMs: 9.5 * 3_600_000 })).toMatchObject({ kind: 'none' });
      expect(plan({ ...changes, lastScanMs: 8.5 * 3_600_000 })).toMatchObject({ kind: 'scan' });
      expect(plan({ ...changes, mode: 'free' })).toMatchObject({ kind: 'none' });
    }
  });

  it('never lets a member read its rows that the cluster cannot spare', () => {
    const never = { compactRevision: -1 };
    expect(plan({ ...never, members: [member(0)] })).toMatchObject({ kind: 'none' });
    expect(plan({ ...never, members: three().slice(0, 2) })).toMatchObject({ kind: 'none' });
    const [a, b] = three();
    expect(plan({ ...never, members: [a!, b!, member(2, '3.5.16', { status: undefined })] })).toMatchObject({
      kind: 'none',
    });
    expect(plan({ ...never, members: [a!, b!, member(2, '3.5.16', { failure: 'slow' })] })).toMatchObject({
      kind: 'none',
    });
  });
});

it('members keep hashes of compactions from 3.5.5 on', () => {
  for (const version of ['3.5.5', '3.5.16', '3.6.0-rc.1', '3.10.0', '4.0.0']) expect(keepsHashes(version)).toBe(true);
  for (const version of ['3.5.4', '3.4.37', '2.3.8', '', 'unknown']) expect(keepsHashes(version)).toBe(false);
});
