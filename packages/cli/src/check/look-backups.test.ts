import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeManifest, fullKey, LocalStore, manifestKey, type FullManifest } from '@etcd-ops/core';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { judgeBackups } from './judge-backups.ts';
import { lookAtBackups } from './look-backups.ts';

const NOW_MS = Date.parse('2026-11-20T12:00:00Z');
const HOUR_MS = 3_600_000;
const SHA256 = '0'.repeat(64);

let directory: string;
let store: LocalStore;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'etcd-ops-look-'));
  store = new LocalStore(directory);
});
afterEach(async () => await rm(directory, { recursive: true, force: true }));

async function putFull(agoMs: number, changes: Partial<FullManifest> = {}): Promise<string> {
  const createdAtMs = NOW_MS - agoMs;
  const at = new Date(createdAtMs).toISOString();
  const name = { cluster: 'prod', timeline: 1, revision: 100, codec: 'none' } as const;
  const key = fullKey({ ...name, createdAtMs });
  const manifest: FullManifest = {
    ...{ version: 1, kind: 'full', ...name, compactRevision: 100, lastRevisionDigest: null, lastRevisionRows: 0 },
    ...{ clusterId: '1', memberId: '1', etcdVersion: '3.5.16', createdAt: at, finishedAt: at, cause: 'schedule' },
    ...{ plainBytes: 4, plainSha256: SHA256, storedBytes: 4, storedSha256: SHA256 },
    ...changes,
  };
  await store.put(key, Buffer.from('data'));
  await store.put(manifestKey(key), encodeManifest(manifest));
  return key;
}

/** What the check with limits of an hour says of the newest full, and of the newest change. */
async function judged(): Promise<{ full: string; end: string; key: string | undefined }> {
  const { signal } = new AbortController();
  const { facts } = await lookAtBackups(store, { cluster: 'prod', identities: undefined, nowMs: NOW_MS, signal });
  const findings = judgeBackups(facts, { maxAgeMs: HOUR_MS, maxDeltaAgeMs: HOUR_MS });
  const of = (id: string): string => findings.find((found) => found.id === id)!.level;
  return { full: of('backup.full'), end: of('backup.end'), key: facts.newestFull?.key };
}

const ago = (ms: number): string => new Date(NOW_MS - ms).toISOString();

test('a full of a moment ago is a sight of the cluster when a member gave it', async () => {
  await putFull(6 * HOUR_MS);
  expect(await judged()).toMatchObject({ full: 'fail', end: 'fail' });
  const key = await putFull(1_000);
  expect(await judged()).toEqual({ full: 'ok', end: 'ok', key });
});

test.each([
  ['that compact made', { cause: 'compact', seenAt: ago(6 * HOUR_MS) }],
  ['that an older compact made', { cause: 'compact' }],
  ['of a member without a quorum', { stale: true as const }],
])('a full of a moment ago %s is none', async (_, changes) => {
  await putFull(6 * HOUR_MS);
  await putFull(1_000, changes);
  expect(await judged()).toMatchObject({ full: 'fail', end: 'fail' });
});

test('what was made of a sight of a moment ago is as young as that', async () => {
  await putFull(6 * HOUR_MS);
  const key = await putFull(1_000, { cause: 'compact', seenAt: ago(60_000) });
  expect(await judged()).toEqual({ full: 'ok', end: 'ok', key });
});

test('where no time at all is known, no age is young enough', async () => {
  await putFull(1_000, { stale: true });
  expect(await judged()).toMatchObject({ full: 'fail', end: 'fail' });
});
