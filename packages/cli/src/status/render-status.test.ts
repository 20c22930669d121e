import { expect, test } from 'vitest';
import { renderStatus } from './render-status.ts';
import type { ClusterStatus } from './run-status.ts';

const NOW = Date.parse('2026-11-20T12:00:00Z');
const iso = (secondsAgo: number): string => new Date(NOW - secondsAgo * 1_000).toISOString();

function rowsOf(cluster: Partial<ClusterStatus>, running = true): Map<string, string> {
  const status = { daemon: { running }, clusters: [{ cluster: 'prod', last: {}, failures: [], ...cluster }] };
  const lines = renderStatus(status, NOW).split('\n');
  return new Map(lines.map((line) => [line.split(/ {2,}/)[0]!.trim(), line.replace(/^.*? {2,}/, '')]));
}

const STORED = {
  store: 'Local /bak',
  fulls: 1,
  deltas: 2,
  bytes: 3_000_000,
  gaps: 0,
  incomplete: 0,
  damaged: 0,
  failedProofs: [],
};

test('what a restore gives, what is proven of it, and how long it takes', () => {
  const rows = rowsOf({
    repository: {
      ...STORED,
      restorable: { timeline: 1, from: 100, to: 2_000, toTime: iso(5) },
      proven: { timeline: 1, from: 100, to: 1_900, provedAt: iso(7_300) },
      restoreMs: 61_000,
    },
  });
  expect(rows.get('restorable')).toBe('revisions 100 to 2,000 of timeline 1, 2026-11-20 11:59:55Z (5 s ago)');
  expect(rows.get('proven')).toBe(
    'revisions 100 to 1,900 of timeline 1, 2026-11-20 09:58:20Z (2 h ago); a restore takes 61.0 s',
  );
  expect(rows.get('stored')).toBe('1 full, 2 deltas, 3.0 MB in Local /bak');
  expect(rows.has('BEWARE')).toBe(false);
});

test('what is wrong stands out: damage, failed proofs, a store that cannot be read, standing errors', () => {
  const rows = rowsOf({
    failures: [
      { of: 'full', at: iso(30), code: 'ETCD_TIMEOUT', message: 'a: no\nanswer', remedy: 'Look.', attempts: 3 },
    ],
    repository: {
      ...STORED,
      gaps: 1,
      damaged: 2,
      failedProofs: [{ full: 'prod/x.db', provedAt: iso(60), problem: 'row 5 differs' }],
    },
  });
  expect(rows.get('ERROR')).toBe('full, 2026-11-20 11:59:30Z (30 s ago), 3 attempts: a: no answer (ETCD_TIMEOUT)');
  expect(rows.get('restorable')).toBe('NOTHING');
  expect(rows.get('BEWARE')).toContain('1 gap, 2 damaged objects');
  expect(rows.get('PROOF FAILED')).toBe('prod/x.db, 2026-11-20 11:59:00Z (60 s ago): row 5 differs');
  expect(rowsOf({ repositoryError: { code: 'STORE_FAILED', message: 'away' } }).get('repository')).toBe(
    'CANNOT BE READ: away',
  );
});

test('TTLs that a restore would not have yet are told, until they are stored', () => {
  const capture = { at: iso(1), watching: true, ttlsAsked: 5, ttlsWaiting: 2_000 };
  const owner = { version: 1, watcher: 'abcdefgh-1', since: iso(600), capture } as const;
  const said = (messages: number, facts: object = {}): string | undefined =>
    rowsOf({ owner: { ...owner, capture: { ...capture, ...facts } }, backlog: { messages } }).get('lease TTLs');
  expect(said(3)).toBe('2,005 not durable yet: 5 to be asked of etcd, 2,000 waiting in NATS');
  // An empty stream is newer knowledge than what the watcher last looked at.
  expect(said(0)).toBe('5 not durable yet: 5 to be asked of etcd');
  expect(said(0, { ttlsAsked: 0 })).toBeUndefined();
});

test('a capture that lags says by how much and for how long; one that waits says for what', () => {
  const owner = (capture: object): Partial<ClusterStatus> => ({
    owner: { version: 1, watcher: 'abcdefgh-1', since: iso(600), capture: { at: iso(1), ...capture } as never },
  });
  const lag = { revisions: 1_200, seconds: 3.5 };
  expect(rowsOf({ ...owner({ watching: true, timeline: 1, revision: 10 }), lag }).get('captured')).toBe(
    'revision 10 of timeline 1; 1,200 behind etcd, for 3.5 s, as of 1 s ago',
  );
  expect(rowsOf(owner({ watching: false, waitsFor: 'the bus' })).get('capture')).toBe(
    'WAITING, the bus; by abcdefgh since 2026-11-20 11:50:00Z',
  );
  expect(rowsOf({}).get('capture')).toBe('nobody captures this cluster');
});

test('a full that failed does not hide the one before it', () => {
  const failed = { version: 1 as const, taskId: 'x', finishedAt: iso(9), ok: false, summary: {} };
  const newestFull = { key: 'k', timeline: 1, revision: 7, bytes: 1_000, time: iso(100) };
  expect(rowsOf({ last: { full: failed }, repository: { ...STORED, newestFull } }).get('last full')).toBe(
    'FAILED 2026-11-20 11:59:51Z (9 s ago); before that: revision 7, 1.0 kB, 2026-11-20 11:58:20Z (100 s ago)',
  );
});
