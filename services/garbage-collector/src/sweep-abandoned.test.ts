import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EtcdOpsError, LocalStore, type ObjectStore } from '@etcd-ops/core';
import { createLogger } from '@etcd-ops/service-kit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AbandonedSweep } from './sweep-abandoned.ts';

const HOUR_MS = 3_600_000;
let root: string;
let lines: string[];
let sweep: AbandonedSweep;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sweep-'));
  lines = [];
  const stream = { write: (line: string) => void lines.push(line) };
  sweep = new AbandonedSweep(createLogger({ level: 'info', name: 'test', pretty: false, stream }));
});
afterEach(async () => await rm(root, { recursive: true, force: true }));

function request(store: ObjectStore, nowMs: number) {
  return { store, cluster: 'prod', olderThanMs: HOUR_MS, nowMs, signal: new AbortController().signal };
}

test('what a dead writer left goes, of this cluster only, and once an hour at most', async () => {
  const nowMs = Date.now();
  for (const cluster of ['prod', 'prod-2']) {
    const left = join(root, cluster, 't00000001', '.etcd-ops-tmp-1-abc');
    await mkdir(join(root, cluster, 't00000001'), { recursive: true });
    await writeFile(left, 'half');
    await utimes(left, new Date(nowMs - 2 * HOUR_MS), new Date(nowMs - 2 * HOUR_MS));
  }
  const store = new LocalStore(root);
  expect(await sweep.run(request(store, nowMs))).toBe(1);
  expect(await readdir(join(root, 'prod', 't00000001'))).toEqual([]);
  expect(await readdir(join(root, 'prod-2', 't00000001'))).toHaveLength(1);
  expect(lines.join('')).toContain('"swept":1');
  await writeFile(join(root, 'prod', 't00000001', '.etcd-ops-tmp-2-abc'), 'half');
  expect(await sweep.run(request(store, nowMs + HOUR_MS - 1))).toBe(0);
  expect(await sweep.run(request(store, nowMs + 3 * HOUR_MS))).toBe(1);
});

test('a store that does not allow it is told of, and does not fail the collection', async () => {
  const denied = new EtcdOpsError('STORE_DENIED', { message: 'Listing the unfinished uploads failed' });
  const store = { sweepAbandoned: () => Promise.reject(denied) } as unknown as ObjectStore;
  expect(await sweep.run(request(store, Date.now()))).toBe(0);
  expect(lines.join('')).toContain('Listing the unfinished uploads failed');
});
