import { EtcdOpsError, type BucketFacts } from '@etcd-ops/core';
import { expect, test } from 'vitest';
import type { CheckLevel } from './check-finding.ts';
import { judgeStore, type ProbeFacts, type StoreFacts } from './judge-store.ts';

const denied = new EtcdOpsError('STORE_DENIED', { message: 'AccessDenied' });
const probe = (facts: Partial<ProbeFacts> = {}): ProbeFacts => ({
  ...{ key: 'prod/check-1', write: true, read: 'same', list: true, conditional: true, remove: true, clockAheadMs: 0 },
  ...facts,
});
const bucket = (facts: Partial<BucketFacts> = {}): BucketFacts => ({
  ...{ versioning: 'off', objectLock: { enabled: false }, lifecycle: [], unreadable: [] },
  ...facts,
});
const SOUND: StoreFacts = {
  ...{ description: 'S3 backups', prefix: 'etcd/prod/', list: true, probe: probe(), bucket: bucket() },
  ...{ freeBytes: 1e12, newestFullBytes: 1e9 },
};
const rule = (facts: object): Partial<StoreFacts> => ({
  bucket: bucket({ lifecycle: [{ id: 'tidy', prefix: '', ...facts }] }),
});

test('a sound store: everything is looked at, and well', () => {
  const findings = judgeStore(SOUND);
  expect(findings.filter(({ level }) => level !== 'ok')).toEqual([]);
  expect(findings.map(({ id }) => id)).toEqual(
    [
      ...['list', 'write', 'read', 'consistent', 'conditional', 'delete', 'space'],
      ...['versioning', 'lock', 'lifecycle', 'clock'],
    ].map((name) => `store.${name}`),
  );
});

const CASES: [string, Partial<StoreFacts>, string, CheckLevel, RegExp][] = [
  ['it cannot be listed', { list: denied }, 'store.list', 'fail', /AccessDenied/],
  ['it cannot be written', { probe: { key: 'k', write: denied } }, 'store.write', 'fail', /AccessDenied/],
  ['nothing is tried', { probe: undefined }, 'store.write', 'skip', /--no-probe/],
  ['it cannot be read', { probe: probe({ read: denied }) }, 'store.read', 'fail', /AccessDenied/],
  ['it changes bytes', { probe: probe({ read: 'other' }) }, 'store.read', 'fail', /not what was written/],
  ['it lists late', { probe: probe({ list: false }) }, 'store.consistent', 'fail', /not listed/],
  ['it ignores conditions', { probe: probe({ conditional: false }) }, 'store.conditional', 'warn', /does not honour/],
  ['conditions fail', { probe: probe({ conditional: denied }) }, 'store.conditional', 'fail', /AccessDenied/],
  [
    'it may not be deleted from',
    { probe: probe({ remove: denied }) },
    'store.delete',
    'warn',
    /prod\/check-1 could not/,
  ],
  ['hardly any space', { freeBytes: 5e8 }, 'store.space', 'fail', /free/],
  ['little space', { freeBytes: 2e9 }, 'store.space', 'warn', /free/],
  ['nothing to measure space by', { newestFullBytes: undefined }, 'store.space', 'ok', /no full/],
  ['versioning', { bucket: bucket({ versioning: 'on' }) }, 'store.versioning', 'ok', /paid for/],
  [
    'a lock',
    { bucket: bucket({ objectLock: { enabled: true, defaultMode: 'compliance', defaultDays: 30 } }) },
    'store.lock',
    'ok',
    /compliance for 30 days/,
  ],
  ['a rule that deletes all', rule({ expireAfterDays: 7 }), 'store.lifecycle', 'fail', /deletes objects after 7 days/],
  [
    'a rule that deletes what is above',
    rule({ prefix: 'etcd/', expireAfterDays: 7 }),
    'store.lifecycle',
    'fail',
    /etcd\//,
  ],
  [
    'a rule that deletes a part',
    rule({ prefix: 'etcd/prod/t00000001/full/', expireAfterDays: 7 }),
    'store.lifecycle',
    'fail',
    /full/,
  ],
  ['a rule about others', rule({ prefix: 'logs/', expireAfterDays: 7 }), 'store.lifecycle', 'ok', /none/],
  ['a rule that moves', rule({ moveAfterDays: 30, storageClass: 'GLACIER' }), 'store.lifecycle', 'warn', /GLACIER/],
  ['a rule for dead uploads', rule({ abortUploadsAfterDays: 7 }), 'store.lifecycle', 'ok', /none/],
  [
    'settings that may not be read',
    { bucket: bucket({ unreadable: ['versioning: AccessDenied'] }) },
    'store.settings',
    'skip',
    /versioning/,
  ],
  ['no settings at all', { bucket: denied }, 'store.settings', 'skip', /AccessDenied/],
  ['a clock that is off', { probe: probe({ clockAheadMs: 10_000 }) }, 'store.clock', 'warn', /ahead/],
  ['a clock that is wrong', { bucket: bucket({ clockAheadMs: -900_000 }) }, 'store.clock', 'fail', /behind/],
  ['no clock', { probe: undefined }, 'store.clock', 'skip', /does not tell/],
];

test.each(CASES)('%s', (_name, facts, id, level, why) => {
  const found = judgeStore({ ...SOUND, ...facts }).filter((finding) => finding.id === id);
  expect(found.map((finding) => finding.level)).toEqual([level]);
  expect(found[0]?.why).toMatch(why);
  expect(found[0]?.remedy !== undefined).toBe(['warn', 'fail'].includes(level));
});
