import { EtcdOpsError } from '@etcd-ops/core';
import type { MemberInfo, MemberStatus } from '@etcd-ops/etcd-client';
import { expect, test } from 'vitest';
import type { CheckLevel } from './check-finding.ts';
import { judgeEtcd, type AskedEndpoint, type EtcdFacts } from './judge-etcd.ts';

const status = (facts: Partial<MemberStatus> = {}): MemberStatus => ({
  ...{ clusterId: 1n, memberId: 1n, version: '3.5.16', dbBytes: 20_480, dbInUseBytes: 20_480, leaderId: 1n },
  ...{
    isLeader: true,
    isLearner: false,
    raftIndex: 100n,
    raftAppliedIndex: 100n,
    raftTerm: 2n,
    revision: 50,
    errors: [],
  },
  ...facts,
});
const member = (id: bigint, name: string) => ({ id, name }) as MemberInfo;
const endpoint = (facts: Partial<AskedEndpoint> = {}): AskedEndpoint => ({
  ...{ endpoint: 'http://a:2379', status: status(), clockAheadMs: 0 },
  ...facts,
});
const follower = (facts: Partial<MemberStatus> = {}): AskedEndpoint =>
  endpoint({ endpoint: 'http://b:2379', status: status({ memberId: 2n, isLeader: false, ...facts }) });
const lost = (error: EtcdOpsError): AskedEndpoint => ({ endpoint: 'http://b:2379', failure: error });
const failed = new EtcdOpsError('ETCD_UNREACHABLE', { message: 'no answer' });
const denied = new EtcdOpsError('ETCD_AUTH', { message: 'permission denied' });

const SOUND: EtcdFacts = {
  endpoints: [endpoint(), follower()],
  head: 50,
  members: [member(1n, 'a'), member(2n, 'b')],
  alarms: [],
  rights: [],
};

test('a sound cluster: everything is looked at, and well', () => {
  const findings = judgeEtcd(SOUND);
  expect(findings.filter(({ level }) => level !== 'ok')).toEqual([]);
  expect([...new Set(findings.map(({ id }) => id))]).toEqual(
    ['endpoint', 'quorum', 'version', 'lag', 'members', 'alarms', 'rights', 'clock'].map((name) => `etcd.${name}`),
  );
});

const CASES: [string, Partial<EtcdFacts>, string, CheckLevel, RegExp][] = [
  ['one endpoint is away', { endpoints: [endpoint(), lost(failed)] }, 'etcd.endpoint', 'warn', /no answer/],
  ['all are away', { endpoints: [lost(failed)] }, 'etcd.endpoint', 'fail', /no answer/],
  [
    'one has a wrong certificate',
    { endpoints: [endpoint(), lost(new EtcdOpsError('ETCD_TLS', { message: 'bad CA' }))] },
    'etcd.endpoint',
    'fail',
    /bad CA/,
  ],
  [
    'no quorum',
    { head: new EtcdOpsError('ETCD_NO_LEADER', { message: 'no leader' }) },
    'etcd.quorum',
    'fail',
    /no leader/,
  ],
  [
    'two versions',
    { endpoints: [endpoint(), follower({ version: '3.4.23' })] },
    'etcd.version',
    'warn',
    /3\.5\.16, 3\.4\.23/,
  ],
  [
    'an old version',
    { endpoints: [endpoint({ status: status({ version: '3.3.27' }) })] },
    'etcd.version',
    'warn',
    /older/,
  ],
  [
    'a follower lags',
    { endpoints: [endpoint({ status: status({ raftIndex: 9_000n }) }), follower()] },
    'etcd.lag',
    'warn',
    /8900 entries/,
  ],
  [
    'a member without a leader',
    { endpoints: [endpoint(), follower({ leaderId: 0n })] },
    'etcd.lag',
    'fail',
    /no leader/,
  ],
  ['a member nobody named', { endpoints: [endpoint()] }, 'etcd.members', 'warn', /1 of 2 .*: b$/],
  ['no list of members', { members: denied }, 'etcd.members', 'skip', /permission denied/],
  ['an alarm', { alarms: [{ memberId: 2n, kind: 'NOSPACE' }] }, 'etcd.alarms', 'fail', /NOSPACE at b/],
  ['a corrupt member', { alarms: [{ memberId: 2n, kind: 'CORRUPT' }] }, 'etcd.alarms', 'fail', /CORRUPT at b/],
  ['alarms that nobody may read', { alarms: denied }, 'etcd.alarms', 'skip', /permission denied/],
  [
    'no right to snapshots',
    { rights: [{ credential: 'maintenance', calls: ['Snapshot'], error: denied }] },
    'etcd.rights',
    'fail',
    /permission denied/,
  ],
  [
    'no right to the auth status',
    { rights: [{ credential: 'maintenance', calls: ['AuthStatus'], error: denied }] },
    'etcd.rights',
    'warn',
    /permission denied/,
  ],
  ['rights that cannot be tried', { rights: failed }, 'etcd.rights', 'skip', /no answer/],
  [
    'a clock that is off',
    { endpoints: [endpoint({ clockAheadMs: 20_000 }), follower()] },
    'etcd.clock',
    'warn',
    /20.* ahead of/,
  ],
  [
    'a clock that is wrong',
    { endpoints: [endpoint({ clockAheadMs: -200_000 }), follower()] },
    'etcd.clock',
    'fail',
    /behind/,
  ],
  [
    'a clock that is not told',
    { endpoints: [endpoint({ clockAheadMs: undefined }), follower()] },
    'etcd.clock',
    'skip',
    /does not tell/,
  ],
];

test.each(CASES)('%s', (_name, facts, id, level, why) => {
  const found = judgeEtcd({ ...SOUND, ...facts }).filter((finding) => finding.id === id && finding.level === level);
  expect(found[0]?.why).toMatch(why);
  for (const finding of found) expect(finding.remedy !== undefined).toBe(['warn', 'fail'].includes(level));
});
