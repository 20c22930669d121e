import type { ClusterSpec } from '@etcd-ops/bus';
import { EtcdOpsError } from '@etcd-ops/core';
import { describe, expect, it } from 'vitest';
import { runClusterJobs } from './cluster-jobs.ts';
import { ClusterRegistry, type SpecSource } from './cluster-registry.ts';
import { createLogger } from './logger.ts';
import { ManualClock } from './manual-clock.ts';
import { createMetrics } from './metrics.ts';

const logger = createLogger({ level: 'silent', name: 'test' });
// Only the name and one field matter here; the schema is the bus's.
const spec = (name: string, endpoint = 'http://a:1'): ClusterSpec =>
  ({ name, endpoints: [endpoint] }) as unknown as ClusterSpec;

class TestSource implements SpecSource {
  specs = new Map<string, ClusterSpec | EtcdOpsError>();
  broken = false;
  #onChange: (() => void) | undefined;

  list(): Promise<Map<string, ClusterSpec | EtcdOpsError>> {
    return this.broken ? Promise.reject(new Error('no bus')) : Promise.resolve(new Map(this.specs));
  }

  watch(onChange: () => void, signal: AbortSignal): Promise<void> {
    this.#onChange = onChange;
    return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  }

  put(...specs: ClusterSpec[]): void {
    for (const item of specs) this.specs.set(item.name, item);
    this.#onChange?.();
  }

  notify(): void {
    this.#onChange?.();
  }
}

function setUp() {
  const source = new TestSource();
  const clock = new ManualClock();
  const metrics = createMetrics('test');
  const registry = new ClusterRegistry({ source, logger, clock, metrics });
  const stop = new AbortController();
  const events: string[] = [];
  registry.subscribe(({ kind, spec: changed }) => events.push(`${kind} ${changed.name}`));
  return { source, clock, registry, stop, events, running: registry.run(stop.signal) };
}

describe('ClusterRegistry', () => {
  it('tells of additions, changes and removals, each once', async () => {
    const { source, clock, registry, stop, events, running } = setUp();
    source.put(spec('b'), spec('a'));
    await clock.advance(0);
    source.put(spec('a'));
    await clock.advance(0);
    source.put(spec('a', 'http://other:1'));
    await clock.advance(0);
    source.specs.delete('b');
    source.notify();
    await clock.advance(0);
    expect(events).toEqual(['added b', 'added a', 'changed a', 'removed b']);
    expect(registry.all().map(({ name }) => name)).toEqual(['a']);
    stop.abort();
    await running;
  });

  it('keeps the last known specs in an outage, and compares again by itself', async () => {
    const { source, clock, registry, stop, events, running } = setUp();
    source.put(spec('a'));
    await clock.advance(0);
    source.broken = true;
    source.notify();
    await clock.advance(60_000);
    expect(registry.size).toBe(1);
    source.broken = false;
    source.specs.set('missed-by-the-watch', spec('missed-by-the-watch'));
    await clock.advance(30_000);
    expect(events).toEqual(['added a', 'added missed-by-the-watch']);
    stop.abort();
    await running;
  });

  it('keeps the last readable version of a spec that cannot be read', async () => {
    const { source, clock, registry, stop, events, running } = setUp();
    source.put(spec('a'));
    await clock.advance(0);
    const later = new EtcdOpsError('BUS_VERSION_UNKNOWN', { message: 'The spec has version 2' });
    source.specs.set('a', later);
    source.specs.set('never-readable', later);
    source.notify();
    await clock.advance(0);
    expect(registry.get('a')).toEqual(spec('a'));
    expect(registry).toMatchObject({ size: 1, unreadable: 2 });
    expect(events).toEqual(['added a']);
    stop.abort();
    await running;
  });
});

describe('runClusterJobs', () => {
  it('keeps one job for each cluster, and begins it anew after a change or failure', async () => {
    const { source, clock, registry, stop, running } = setUp();
    const log: string[] = [];
    let failures = 1;
    const jobs = runClusterJobs({
      registry,
      logger,
      clock,
      signal: stop.signal,
      accepts: ({ name }) => name !== 'not-mine',
      async job({ name, endpoints }, signal) {
        log.push(`+${name} ${endpoints[0]}`);
        if (name === 'b' && failures-- > 0) throw new Error('first time');
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
        log.push(`-${name} ${endpoints[0]}`);
      },
    });
    source.put(spec('a', '1'), spec('b', '1'), spec('not-mine'));
    await clock.advance(0);
    expect(log).toEqual(['+a 1', '+b 1']);
    await clock.advance(2_000);
    expect(log.splice(0)).toEqual(['+a 1', '+b 1', '+b 1']);
    source.put(spec('a', '2'));
    await clock.advance(0);
    expect(log.splice(0)).toEqual(['-a 1', '+a 2']);
    source.specs.delete('b');
    source.notify();
    await clock.advance(0);
    expect(log.splice(0)).toEqual(['-b 1']);
    stop.abort();
    await jobs;
    await running;
    expect(log).toEqual(['-a 2']);
  });
});
