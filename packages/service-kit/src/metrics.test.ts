import { describe, expect, it } from 'vitest';
import { createMetrics } from './metrics.ts';

const lines = async (metrics: ReturnType<typeof createMetrics>, name: string): Promise<string[]> =>
  (await metrics.exposition()).split('\n').filter((line) => line.startsWith(name));

describe('Metrics', () => {
  it('has build info and the process metrics once', async () => {
    const metrics = createMetrics('scheduler');
    expect(await lines(metrics, 'etcdops_build_info')).toEqual([
      expect.stringMatching(/name="scheduler",version="\d.*"} 1$/),
    ]);
    expect(await lines(metrics, 'process_cpu_user_seconds_total')).toHaveLength(1);
  });

  it('begins every series at zero, before and after a cluster is added', async () => {
    const metrics = createMetrics('x');
    metrics.addCluster('a');
    const counter = metrics.counter({
      name: 'ticks_total',
      help: 'h',
      labels: { cluster: 'cluster', kind: ['full', 'delta'] },
    });
    metrics.addCluster('b');
    counter.add({ cluster: 'a', kind: 'full' });
    expect((await lines(metrics, 'etcdops_ticks_total')).toSorted()).toEqual([
      'etcdops_ticks_total{cluster="a",kind="delta"} 0',
      'etcdops_ticks_total{cluster="a",kind="full"} 1',
      'etcdops_ticks_total{cluster="b",kind="delta"} 0',
      'etcdops_ticks_total{cluster="b",kind="full"} 0',
    ]);
    metrics.removeCluster('a');
    expect(await lines(metrics, 'etcdops_ticks_total')).toHaveLength(2);
  });

  it('begins only what is expected where a metric says so, for all clusters or for one', async () => {
    const metrics = createMetrics('x');
    metrics.addCluster('a');
    const options = { name: 'ticks_total', help: 'h', zeros: 'expected' } as const;
    const counter = metrics.counter({ ...options, labels: { cluster: 'cluster', kind: ['full', 'delta', 'gc'] } });
    expect(await lines(metrics, 'etcdops_ticks_total')).toEqual([]);
    counter.expect({ kind: 'full' });
    counter.add({ cluster: 'a', kind: 'full' });
    metrics.addCluster('b');
    counter.expect({ cluster: 'a', kind: 'gc' });
    counter.expect({ cluster: 'a', kind: 'full' });
    metrics.addCluster('c');
    metrics.removeCluster('c');
    expect((await lines(metrics, 'etcdops_ticks_total')).toSorted()).toEqual([
      'etcdops_ticks_total{cluster="a",kind="full"} 1',
      'etcdops_ticks_total{cluster="a",kind="gc"} 0',
      'etcdops_ticks_total{cluster="b",kind="full"} 0',
    ]);
  });

  it('begins no histogram of a cluster before it has a value', async () => {
    const metrics = createMetrics('x');
    metrics.addCluster('a');
    const histogram = metrics.histogram({ name: 'd_seconds', help: 'h', labels: { cluster: 'cluster' } });
    metrics.addCluster('b');
    histogram.observe({ cluster: 'b' }, 1);
    expect(await lines(metrics, 'etcdops_d_seconds_count')).toEqual(['etcdops_d_seconds_count{cluster="b"} 1']);
    metrics.removeCluster('b');
    expect(await lines(metrics, 'etcdops_d_seconds_count')).toEqual([]);
  });

  it('gives the same metric to two services, and refuses two metrics of one name', () => {
    const metrics = createMetrics('x');
    const make = () => metrics.counter({ name: 'a_total', help: 'h', labels: {} });
    expect(make()).toBe(make());
    expect(() => metrics.gauge({ name: 'a_total', help: 'h', labels: {} })).toThrow(/already there/);
  });

  it('refuses a value that is not one of its label', () => {
    const metrics = createMetrics('x');
    const histogram = metrics.histogram({ name: 'd_seconds', help: 'h', labels: { result: ['ok', 'failed'] } });
    histogram.observe({ result: 'ok' }, 1);
    // @ts-expect-error: the compiler refuses it, too
    expect(() => histogram.observe({ result: 'perhaps' }, 1)).toThrow(/not one of its values/);
  });
});
