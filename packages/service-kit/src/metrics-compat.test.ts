import { describe, expect, it } from 'vitest';
import { createMetrics, type Metrics } from './metrics.ts';
import { serveCompatMetrics, type MetricsCompat } from './metrics-compat.ts';
import { createTaskMetrics } from './task-service.ts';

/** As the services declare them. */
function world(compat: MetricsCompat, clusters: string[]): Metrics {
  const metrics = createMetrics('test');
  serveCompatMetrics(metrics, compat);
  for (const cluster of clusters) metrics.addCluster(cluster);
  const labels = { cluster: 'cluster', kind: ['full', 'delta'] } as const;
  const revision = metrics.gauge({ name: 'last_revision', help: 'h', labels });
  revision.set({ cluster: 'prod', kind: 'full' }, 900);
  revision.set({ cluster: 'prod', kind: 'delta' }, 1_000);
  const success = metrics.gauge({ name: 'last_success_timestamp_seconds', help: 'h', labels });
  success.set({ cluster: 'prod', kind: 'full' }, 1_700_000_000);
  const one = { cluster: 'cluster' } as const;
  metrics.gauge({ name: 'watcher_head_revision', help: 'h', labels: one }).set({ cluster: 'prod' }, 1_000);
  metrics.gauge({ name: 'chain_deltas', help: 'h', labels: one }).set({ cluster: 'prod' }, 7);
  metrics.gauge({ name: 'chain_delta_revisions', help: 'h', labels: one }).set({ cluster: 'prod' }, 100);
  const removed = metrics.counter({ name: 'gc_removed_total', help: 'h', labels: { ...labels, cause: ['a', 'b'] } });
  removed.add({ cluster: 'prod', kind: 'delta', cause: 'a' }, 2);
  removed.add({ cluster: 'prod', kind: 'delta', cause: 'b' }, 3);
  metrics.histogram({ name: 'defrag_duration_seconds', help: 'h', labels: one }).observe({ cluster: 'prod' }, 2);
  const tasks = createTaskMetrics(metrics);
  tasks.seconds.observe({ kind: 'full', cluster: 'prod' }, 4);
  tasks.failures.add({ code: 'STORE_DENIED' }, 3);
  return metrics;
}

/** Without what is ours or the process's. */
async function compatLines(metrics: Metrics): Promise<string[]> {
  const text = await metrics.exposition();
  return text.split('\n').filter((line) => line !== '' && !/^(# \w+ )?(etcdops|nodejs|process)_/.test(line));
}

describe('metrics under other names', () => {
  it('are not there unless they are asked for', async () => {
    expect(await compatLines(world('off', ['prod']))).toEqual([]);
  });

  it('have the names and labels of the seed tool', async () => {
    const lines = await compatLines(world('seed', ['prod']));
    expect(lines).toEqual(
      expect.arrayContaining([
        'latest_revision{kind="Full"} 900',
        'latest_revision{kind="Incr"} 1000',
        'latest_revision{kind="Chunk"} 0',
        'latest_timestamp{kind="Full"} 1700000000',
        'required{kind="Full"} 1',
        'required{kind="Incr"} 0',
        'latest_deltas_total 7',
        'latest_deltas_revisions_total 100',
        'gc_total{kind="Incr",succeeded="true"} 5',
        'gc_total{kind="Full",succeeded="false"} 0',
        'failure{error="STORE_DENIED"} 3',
        'duration_seconds_count{kind="Full",succeeded="true"} 1',
        'duration_seconds_bucket{kind="Full",succeeded="true",le="5"} 1',
        'duration_seconds_bucket{kind="Full",succeeded="true",le="+Inf"} 1',
        'defrag_duration_seconds_sum{succeeded="true",endpoint=""} 2',
      ]),
    );
  });

  it("have gardener's names and labels", async () => {
    const families = (await compatLines(world('gardener', ['prod']))).filter((line) => line.startsWith('# TYPE'));
    expect(families.map((line) => line.slice('# TYPE '.length))).toEqual([
      'etcdbr_snapshot_latest_revision gauge',
      'etcdbr_snapshot_latest_timestamp gauge',
      'etcdbr_snapshot_required gauge',
      'etcdbr_snapstore_latest_deltas_total gauge',
      'etcdbr_snapstore_latest_deltas_revisions_total gauge',
      'etcdbr_snapshot_gc_total counter',
      'etcdbr_snapshotter_failure counter',
      'etcdbr_snapshot_duration_seconds histogram',
      'etcdbr_defragmentation_duration_seconds histogram',
      'etcdbr_restoration_duration_seconds histogram',
    ]);
  });

  it('are told apart by cluster where a process looks after several', async () => {
    const lines = await compatLines(world('seed', ['prod', 'test']));
    expect(lines).toContain('latest_revision{kind="Full",cluster="prod"} 900');
    expect(lines).toContain('latest_revision{kind="Full",cluster="test"} 0');
    expect(new Set(lines).size).toBe(lines.length);
  });
});
