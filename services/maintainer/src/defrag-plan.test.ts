import type { MemberStatus } from '@etcd-ops/etcd-client';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ClusterView, MemberView } from './cluster-view.ts';
import { healthProblems, nextDefragStep, reclaimableBytes, type DefragLimits } from './defrag-plan.ts';

const MIB = 1024 * 1024;
const limits: DefragLimits = { reclaimBytesMin: 64 * MIB, reclaimRatioMin: 0.2, lagEntriesMax: 1_000 };

interface Shape {
  id: bigint;
  dbBytes?: number;
  inUseBytes?: number;
  leader?: bigint;
  learner?: boolean;
  applied?: bigint;
}

function member(shape: Shape, changes: Partial<MemberView> = {}, status: Partial<MemberStatus> = {}): MemberView {
  const { id, dbBytes = 100 * MIB, inUseBytes = 10 * MIB, leader = 1n, learner = false, applied = 50n } = shape;
  return {
    id,
    name: `m${id}`,
    isLearner: learner,
    endpoint: `127.0.0.1:${id}`,
    failure: undefined,
    status: {
      clusterId: 9n,
      memberId: id,
      version: '3.5.16',
      dbBytes,
      dbInUseBytes: inUseBytes,
      leaderId: leader,
      isLeader: leader === id,
      isLearner: learner,
      raftIndex: 50n,
      raftAppliedIndex: applied,
      raftTerm: 2n,
      revision: 7,
      errors: [],
      ...status,
    },
    ...changes,
  };
}

const view = (...members: MemberView[]): ClusterView => ({ members, alarms: [] });
const none: ReadonlySet<bigint> = new Set();

describe('nextDefragStep', () => {
  it('takes followers first, then moves the leadership away, then takes the former leader', () => {
    let state = view(member({ id: 1n }), member({ id: 2n, applied: 49n }), member({ id: 3n }));
    const done = new Set<bigint>();
    const steps: string[] = [];
    for (;;) {
      const step = nextDefragStep(state, done, limits);
      if (step.kind === 'finished' || step.kind === 'refuse') {
        steps.push(step.kind);
        break;
      }
      if (step.kind === 'defragment') {
        steps.push(`defragment ${step.member.id}`);
        done.add(step.member.id);
      } else {
        steps.push(`move ${step.from.id} to ${step.to.id}`);
        state = view(...state.members.map(({ id }) => member({ id, leader: step.to.id })));
      }
    }
    expect(steps).toEqual(['defragment 2', 'defragment 3', 'move 1 to 3', 'defragment 1', 'finished']);
  });

  it('defragments a lone member in place', () => {
    expect(nextDefragStep(view(member({ id: 1n })), none, limits)).toMatchObject({
      kind: 'defragment',
      reclaimBytes: 90 * MIB,
    });
  });

  it('hands the leadership to no learner', () => {
    const state = view(member({ id: 1n }), member({ id: 2n, learner: true }));
    expect(nextDefragStep(state, new Set([2n]), limits)).toMatchObject({ kind: 'defragment', member: { id: 1n } });
  });

  it('leaves alone what is not worth it, by bytes and by share', () => {
    const small = member({ id: 1n, dbBytes: 60 * MIB, inUseBytes: 0 });
    const dense = member({ id: 2n, dbBytes: 1000 * MIB, inUseBytes: 900 * MIB });
    const step = nextDefragStep(view(small, dense), none, limits);
    expect(step).toMatchObject({ kind: 'finished', left: [{ member: { id: 1n } }, { member: { id: 2n } }] });
  });

  it('refuses under NOSPACE when nothing can be gained, and says why', () => {
    const full: ClusterView = {
      members: [member({ id: 1n, inUseBytes: 100 * MIB })],
      alarms: [{ memberId: 1n, kind: 'NOSPACE' }],
    };
    const step = nextDefragStep(full, none, limits);
    expect(step).toMatchObject({
      kind: 'refuse',
      reasons: [expect.stringMatching(/NOSPACE.*gain nothing.*compact or delete first, or raise the quota/)],
    });
  });

  it('takes any worthwhile space under NOSPACE', () => {
    const complains = { errors: ['memberID:1 alarm:NOSPACE '] };
    const full: ClusterView = {
      members: [member({ id: 1n, inUseBytes: 97 * MIB }, {}, complains)],
      alarms: [{ memberId: 1n, kind: 'NOSPACE' }],
    };
    expect(nextDefragStep(full, none, limits)).toMatchObject({ kind: 'defragment' });
    expect(nextDefragStep(full, new Set([1n]), limits)).toMatchObject({ kind: 'finished' });
  });

  it.each<[string, ClusterView, RegExp]>([
    [
      'a silent member',
      view(member({ id: 1n }), member({ id: 2n }, { status: undefined, failure: 'connection refused' })),
      /m2.*connection refused/,
    ],
    [
      'a member without an endpoint',
      view(
        member({ id: 1n }),
        member({ id: 2n }, { status: undefined, endpoint: undefined, failure: 'none of the endpoints leads to it' }),
      ),
      /none of the endpoints/,
    ],
    ['no leader', view(member({ id: 1n, leader: 0n })), /knows no leader/],
    ['two leaders', view(member({ id: 1n }), member({ id: 2n, leader: 2n })), /do not agree/],
    [
      'a member that lags',
      view(member({ id: 1n }, {}, { raftIndex: 5_000n, raftAppliedIndex: 5_000n }), member({ id: 2n })),
      /4950 raft entries behind/,
    ],
    ['corruption', { ...view(member({ id: 1n })), alarms: [{ memberId: 1n, kind: 'CORRUPT' }] }, /CORRUPT/],
    [
      'a complaint',
      view(member({ id: 1n }, {}, { errors: ['etcdserver: no leader'] })),
      /reports: etcdserver: no leader/,
    ],
  ])('refuses %s', (_, state, reason) => {
    expect(nextDefragStep(state, none, limits)).toMatchObject({
      kind: 'refuse',
      reasons: expect.arrayContaining([expect.stringMatching(reason)]),
    });
    expect(healthProblems(state, limits.lagEntriesMax)).not.toEqual([]);
  });

  it('holds its rules for every cluster: each worthwhile member once, the leader last, at most one move', () => {
    const shape = fc.record({
      dbBytes: fc.integer({ min: 0, max: 500 * MIB }),
      free: fc.double({ min: 0, max: 1, noNaN: true }),
      learner: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(shape, { minLength: 1, maxLength: 7 }), fc.nat(), (shapes, seed) => {
        const voters = shapes.map((_, index) => index).filter((index) => !shapes[index]!.learner);
        if (voters.length === 0) return;
        let leader = BigInt(voters[seed % voters.length]! + 1);
        const build = (): MemberView[] =>
          shapes.map(({ dbBytes, free, learner }, index) =>
            member({ id: BigInt(index + 1), dbBytes, inUseBytes: Math.floor(dbBytes * (1 - free)), learner, leader }),
          );
        const firstLeader = leader;
        const done: bigint[] = [];
        let moves = 0;
        for (let turn = 0; turn <= shapes.length + 1; turn++) {
          const step = nextDefragStep(view(...build()), new Set(done), limits);
          if (step.kind === 'refuse') throw new Error(step.reasons.join());
          if (step.kind === 'finished') break;
          if (step.kind === 'move-leader') {
            expect(step.from.id).toBe(leader);
            expect(step.to.isLearner).toBe(false);
            leader = step.to.id;
            moves++;
          } else {
            expect(done).not.toContain(step.member.id);
            expect(reclaimableBytes(step.member)).toBeGreaterThanOrEqual(limits.reclaimBytesMin);
            // Never the leader while another voter could lead.
            if (voters.length > 1) expect(step.member.id).not.toBe(leader);
            done.push(step.member.id);
          }
        }
        expect(nextDefragStep(view(...build()), new Set(done), limits).kind).toBe('finished');
        expect(moves).toBeLessThanOrEqual(1);
        if (done.includes(firstLeader)) expect(done.at(-1)).toBe(firstLeader);
      }),
    );
  });
});
