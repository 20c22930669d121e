import type { TaskResult } from '@etcd-ops/bus';
import { createMetrics } from '@etcd-ops/service-kit';
import { expect, test } from 'vitest';
import { noteResult } from './history-metrics.ts';
import { createSchedulerMetrics } from './metrics.ts';

const AT = Date.parse('2026-11-20T06:00:00Z') / 1_000;

function result(kind: string, summary: Record<string, unknown>, changes: Partial<TaskResult> = {}): TaskResult {
  const times = { startedAt: '2026-11-20T05:59:30Z', finishedAt: '2026-11-20T06:00:00Z' };
  return {
    version: 1,
    taskId: 'x',
    kind,
    cluster: 'prod',
    ...times,
    attempt: 1,
    ok: true,
    summary,
    worker: 'w',
    ...changes,
  };
}

async function after(...results: TaskResult[]): Promise<string[]> {
  const metrics = createMetrics('test');
  metrics.addCluster('prod');
  const gauges = createSchedulerMetrics(metrics);
  for (const one of results) noteResult(gauges, one);
  const text = await metrics.exposition();
  return text.split('\n').filter((line) => line.startsWith('etcdops_last_') && !line.endsWith(' 0'));
}

test('a full tells when, how long, how large, up to where, and what its edge proof said', async () => {
  const full = result('full', { bytes: 4_096, revision: 77, edge: { verdict: 'failed' } });
  expect((await after(full)).toSorted()).toEqual([
    'etcdops_last_bytes{cluster="prod",kind="full"} 4096',
    'etcdops_last_duration_seconds{cluster="prod",kind="full"} 30',
    `etcdops_last_edge_timestamp_seconds{cluster="prod",verdict="failed"} ${AT}`,
    'etcdops_last_revision{cluster="prod",kind="full"} 77',
    `etcdops_last_success_timestamp_seconds{cluster="prod",kind="full"} ${AT}`,
  ]);
});

test('a task that was given up is a failure and nothing else', async () => {
  expect(await after(result('full', {}, { ok: false }))).toEqual([
    `etcdops_last_failure_timestamp_seconds{cluster="prod",kind="full"} ${AT}`,
  ]);
});

test('a delta tells of the histories that began, a verification of its chains', async () => {
  const starts = [{ cause: 'gap', timeline: 1, revision: 9 }, { cause: 'of tomorrow' }, 7];
  const delta = result('delta', { bytes: 10, revision: 12, starts });
  const verify = result('verify', {
    verdict: 'failed',
    proofs: [
      { verdict: 'ok', to: 5 },
      { verdict: 'failed', to: 6 },
    ],
  });
  const lines = await after(delta, verify);
  expect(lines).toContain(`etcdops_last_start_timestamp_seconds{cluster="prod",cause="gap"} ${AT}`);
  expect(lines).toContain(`etcdops_last_verify_timestamp_seconds{cluster="prod",verdict="failed"} ${AT}`);
  expect(lines).toContain(`etcdops_last_proof_timestamp_seconds{cluster="prod",verdict="failed"} ${AT}`);
  expect(lines).toContain(`etcdops_last_proof_timestamp_seconds{cluster="prod",verdict="ok"} ${AT}`);
});

test('summaries of another version are passed over', async () => {
  const odd = result('full', { bytes: '4096', revision: -1, edge: 'ok', starts: 'none', proofs: null });
  expect((await after(odd)).map((line) => line.split('{')[0])).toEqual([
    'etcdops_last_success_timestamp_seconds',
    'etcdops_last_duration_seconds',
  ]);
  expect(await after(result('restore', { bytes: 1 }))).toEqual([]);
});
