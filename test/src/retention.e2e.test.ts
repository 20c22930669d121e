import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { undescribedPaths } from '@etcd-ops/cli';
import { deltaKey, encodeManifest, fullKey, LocalStore, manifestKey, readInventory } from '@etcd-ops/core';
import { tempDir, type TempDir } from '@etcd-ops/test-kit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runCli } from './failures/run-cli.ts';

const START_MS = Date.parse('2026-11-01T00:00:00Z');
const HOUR_MS = 3_600_000;
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** A full each six hours for five days, and a delta between them: names and manifests are all that retention looks at. */
async function fill(store: LocalStore): Promise<void> {
  for (let index = 0; index < 20; index++) {
    const createdAtMs = START_MS + index * 6 * HOUR_MS;
    const revision = (index + 1) * 100;
    const body = `full ${index}`;
    const place = { cluster: 'prod', timeline: 1, revision, codec: 'none' } as const;
    const key = fullKey({ ...place, createdAtMs });
    await store.put(key, Buffer.from(body));
    const manifest = encodeManifest({
      ...{ version: 1, kind: 'full', ...place, compactRevision: revision },
      ...{ lastRevisionDigest: null, lastRevisionRows: 0, clusterId: 'cdf818194e3a8c32', memberId: '8e9e05c52164694d' },
      ...{ etcdVersion: '3.5.16', cause: 'schedule' },
      createdAt: new Date(createdAtMs).toISOString(),
      finishedAt: new Date(createdAtMs + 1_000).toISOString(),
      ...{ plainBytes: body.length, plainSha256: sha256(body), storedBytes: body.length, storedSha256: sha256(body) },
    });
    await store.put(manifestKey(key), manifest);
    const lastObservedMs = createdAtMs + 5 * HOUR_MS;
    const delta = deltaKey({ cluster: 'prod', timeline: 1, first: revision + 1, last: revision + 100, lastObservedMs });
    await store.put(delta, Buffer.alloc(1_000));
  }
}

let scratch: TempDir;
let repository: string[];
let store: LocalStore;

beforeEach(async () => {
  scratch = tempDir();
  store = new LocalStore(scratch.file('bak'));
  await fill(store);
  repository = ['--bucket', scratch.file('bak'), '--cluster-name', 'prod'];
});
afterEach(async () => await scratch.remove());

async function json(command: string, ...args: string[]): Promise<Record<string, unknown>> {
  const { exitCode, stdout, stderr } = await runCli([command, ...args, ...repository, '-o', 'json']);
  expect(exitCode, stderr).toBe(0);
  const document = JSON.parse(stdout) as Record<string, unknown>;
  expect(undescribedPaths(command, document)).toEqual([]);
  return document;
}

async function fullsLeft(): Promise<number[]> {
  const { timelines } = await readInventory(store, 'prod');
  return timelines[0]!.fulls.map(({ revision }) => revision);
}

const RULES = ['--keep-daily', '3', '--point-in-time-window', '1d', '--timezone', 'UTC'];

test('a plan names each decision and what becomes unrestorable; applying marks, later removes; a pin keeps its revision', async () => {
  const plan = await json('gc', 'plan', ...RULES);
  expect(plan).toMatchObject({
    policy: { name: 'KeepRules', keepDaily: 3, deltaRetention: 'newest-chain', timeZone: 'UTC' },
    removed: { things: 29 },
    unrestorable: [{ from: 100 }, {}],
    restorable: [
      { from: 1200, to: 1200 },
      { from: 1600, to: 2100 },
    ],
  });
  const pinned = await json('pin', '2026-11-02T05:30:00Z', '--reason', 'before the upgrade');
  expect(pinned).toMatchObject({ revision: 600, time: '2026-11-02T05:30:00.000Z', deltas: 0 });

  // Nobody can be asked here, so nothing happens without a word.
  const asked = await runCli(['gc', 'apply', ...RULES, ...repository]);
  expect(asked.exitCode).toBe(2);
  expect(asked.stderr).toContain('are marked, and removed by a run in 15m or later. Then these revisions cannot');
  expect((await json('list'))['markedForRemoval']).toEqual([]);

  expect(await json('gc', 'apply', ...RULES, '--yes')).toMatchObject({
    marked: { things: 28 },
    removed: { things: 0 },
  });
  const listed = await json('list');
  expect(listed).toMatchObject({
    pins: [{ id: pinned['id'], reason: 'before the upgrade', revision: 600 }],
    foreign: [],
  });
  expect(listed['markedForRemoval']).not.toEqual([]);
  expect(await json('gc', 'plan', ...RULES)).toMatchObject({
    remove: expect.arrayContaining([expect.objectContaining({ stage: 'waiting' })]),
  });

  const now = [...RULES, '--garbage-collection-grace', '0', '--yes'];
  expect(await json('gc', 'apply', ...now)).toMatchObject({ removed: { things: 28 }, refused: [] });
  expect(await fullsLeft()).toEqual([600, 1200, 1600, 1700, 1800, 1900, 2000]);
  expect(await json('restore', '--plan', '--revision', '600', '--data-dir', scratch.file('data'))).toMatchObject({
    revision: 600,
  });
  expect(await json('gc', 'apply', ...now)).toMatchObject({ removed: { things: 0 }, marked: { things: 0 } });

  await json('unpin', String(pinned['id']));
  await json('gc', 'apply', ...now);
  expect(await fullsLeft()).toEqual([1200, 1600, 1700, 1800, 1900, 2000]);
}, 120_000);

test('what cannot be is said with its exit code', async () => {
  const codes = async (...args: string[]): Promise<[number | null, string]> => {
    const { exitCode, stderr } = await runCli([...args, ...repository]);
    return [exitCode, stderr];
  };
  expect((await codes('pin', '100'))[1]).toContain('A pin needs a reason');
  expect((await codes('pin', '99', '--reason', 'x'))[0]).toBe(5);
  expect((await codes('pin', '100', '--reason', 'x', '--until', '2020-01-01T00:00:00Z'))[0]).toBe(2);
  expect((await codes('unpin', '1795154400000-0123abcd'))[0]).toBe(9);
  expect((await codes('gc', 'sweep'))[0]).toBe(2);
  const [exitCode, stderr] = await codes('gc', 'plan', '--garbage-collection-policy', 'KeepRules');
  expect(exitCode).toBe(2);
  expect(stderr).toContain('--garbage-collection-policy: KeepRules needs a rule');
  expect((await codes('gc', 'plan', '--keep-daily', '2', '--timezone', 'Mars/Olympus'))[1]).toContain('Mars/Olympus');
  rmSync(scratch.file('bak'), { recursive: true });
  expect((await codes('gc', 'apply', '--yes'))[0]).toBe(6);
}, 120_000);
