import { expect, test } from 'vitest';
import type { CheckLevel } from './check-finding.ts';
import { judgeBackups, type AgeLimits, type BackupFacts } from './judge-backups.ts';

const NOW = Date.UTC(2026, 10, 20, 12);
const HOUR = 3_600_000;
const opens = { opens: true, full: 'f', encrypted: true, recipients: ['age1abc'], hasIdentity: true };
const SOUND: BackupFacts = {
  ...{ cluster: 'prod', nowMs: NOW, gaps: 0, damaged: [] },
  newestFull: { key: 'prod/f', revision: 100, timeMs: NOW - HOUR, clusterId: 'ab' },
  end: { revision: 120, timeMs: NOW - 60_000 },
  opens,
  proven: { full: 'prod/f', to: 900, timeMs: NOW - 10 * HOUR },
  living: { headRevision: 120, clusterId: 'ab' },
};

test('sound backups: everything is looked at, and well', () => {
  const findings = judgeBackups(SOUND, { maxAgeMs: 2 * HOUR, maxDeltaAgeMs: HOUR, maxProofAgeMs: 24 * HOUR });
  expect(findings.filter(({ level }) => level !== 'ok')).toEqual([]);
  expect(findings.map(({ id }) => id)).toEqual(
    ['full', 'end', 'whole', 'origin', 'key', 'proof'].map((name) => `backup.${name}`),
  );
});

type Case = [string, Partial<BackupFacts>, AgeLimits, string, CheckLevel, RegExp];
const behind = { living: { headRevision: 150, clusterId: 'ab' } };
const quiet = { end: { revision: 120, timeMs: NOW - 100 * HOUR } };
const CASES: Case[] = [
  ['none at all', { newestFull: undefined }, {}, 'backup.full', 'fail', /there is none of prod/],
  ['an old full', {}, { maxAgeMs: HOUR - 1 }, 'backup.full', 'fail', /older than/],
  ['a full of exactly that age', {}, { maxAgeMs: HOUR }, 'backup.full', 'ok', /old/],
  ['no limit', {}, {}, 'backup.full', 'ok', /revision 100/],
  ['behind, but young', behind, { maxDeltaAgeMs: HOUR }, 'backup.end', 'ok', /30 revisions further/],
  ['behind and old', behind, { maxDeltaAgeMs: 1000 }, 'backup.end', 'fail', /30 revisions further.*older than/],
  ['a cluster nobody writes to', quiet, { maxDeltaAgeMs: 1000 }, 'backup.end', 'ok', /all that etcd holds/],
  [
    'old, and etcd cannot be asked',
    { ...quiet, living: undefined },
    { maxDeltaAgeMs: HOUR },
    'backup.end',
    'fail',
    /older/,
  ],
  [
    'behind since nobody knows when',
    { ...behind, end: { revision: 120, timeMs: 0 } },
    { maxDeltaAgeMs: HOUR },
    'backup.end',
    'fail',
    /nobody recorded/,
  ],
  ['nothing restorable', { end: undefined }, {}, 'backup.end', 'skip', /nothing can be restored/],
  ['a gap', { gaps: 1 }, {}, 'backup.whole', 'warn', /1 gap:/],
  [
    'more captured than can be restored',
    { gaps: 1, later: 'revisions 121 to 130 are missing' },
    {},
    'backup.whole',
    'fail',
    /end at revision 120, but more was captured: revisions 121 to 130 are missing/,
  ],
  ['damage', { damaged: [{ key: 'prod/x', reason: 'torn' }] }, {}, 'backup.whole', 'fail', /prod\/x: torn/],
  ['another cluster', { living: { headRevision: 120, clusterId: 'cd' } }, {}, 'backup.origin', 'fail', /ab, .* cd/],
  ['the wrong key', { opens: { ...opens, opens: false, reason: 'none fits' } }, {}, 'backup.key', 'fail', /none fits/],
  ['no key', { opens: { ...opens, opens: false, hasIdentity: false } }, {}, 'backup.key', 'skip', /age1abc/],
  ['never proven', { proven: undefined }, {}, 'backup.proof', 'warn', /ever/],
  ['never proven, and asked for', { proven: undefined }, { maxProofAgeMs: HOUR }, 'backup.proof', 'fail', /ever/],
  ['proven too long ago', {}, { maxProofAgeMs: HOUR }, 'backup.proof', 'fail', /longer ago/],
  [
    'a failed proof',
    { failedProof: { full: 'prod/f', problem: 'hash' } },
    {},
    'backup.proof',
    'fail',
    /prod\/f failed: hash/,
  ],
];

test.each(CASES)('%s', (_name, facts, limits, id, level, why) => {
  const found = judgeBackups({ ...SOUND, ...facts }, limits).filter((finding) => finding.id === id);
  expect(found.map((finding) => finding.level)).toEqual([level]);
  expect(found[0]?.why).toMatch(why);
  expect(found[0]?.remedy !== undefined).toBe(['warn', 'fail'].includes(level));
});

test('of what is not encrypted, no key is spoken', () => {
  const findings = judgeBackups({ ...SOUND, opens: { ...opens, encrypted: false } }, {});
  expect(findings.some(({ id }) => id === 'backup.key')).toBe(false);
});
