import { lastEvent } from '@etcd-ops/bus';
import { decodeClusterName } from '@etcd-ops/core';
import { until } from './process-facts.ts';
import type { ScaleStage } from './stage.ts';
import { standInName } from './stage.ts';

const EVENTS_SUBJECT = 'etcdops.events.';
const TAKEOVER_MS_MAX = 60_000;

export interface Takeover {
  /** Clusters that the killed watcher owned. */
  clusters: number;
  /** From the kill to the first event that somebody else captured, ascending. */
  capturedMs: number[];
  /** Those that nobody captured in time. */
  lost: string[];
}

/** Kills the watcher with the most clusters while all are written to, and waits until each of its clusters is captured again. */
export async function killOneWatcher({ services, bus, signal }: ScaleStage): Promise<Takeover> {
  const [first] = await services.owned();
  if (first === undefined) throw new Error('no watcher runs');
  const orphans = new Set(first.clusters);
  const count = orphans.size;
  const capturedMs: number[] = [];
  let killedMs = Infinity;
  const events = bus.nc.subscribe(`${EVENTS_SUBJECT}*`, {
    callback: (_error, message) => {
      if (performance.now() < killedMs) return;
      const cluster = decodeClusterName(message.subject.slice(EVENTS_SUBJECT.length)) ?? '';
      if (orphans.delete(cluster)) capturedMs.push(performance.now() - killedMs);
    },
  });
  try {
    await services.kill(first.pid);
    // What it sent before it died is behind this.
    await bus.nc.flush();
    killedMs = performance.now();
    await until(() => orphans.size === 0, { timeoutMs: TAKEOVER_MS_MAX, message: () => '', signal }).catch(() => {
      signal.throwIfAborted();
    });
  } finally {
    events.unsubscribe();
  }
  return { clusters: count, capturedMs: capturedMs.toSorted((left, right) => left - right), lost: [...orphans] };
}

/** Clusters of the stand-in whose last revision is not in their streams after `timeoutMs`. */
export async function notCaptured({ bus, standIn, signal }: ScaleStage, timeoutMs: number): Promise<string[]> {
  const { revisions } = await standIn.ask({ writesPerSecond: 0 });
  let missing = revisions.map((revision, index) => ({ name: standInName(index), revision }));
  const look = async (): Promise<boolean> => {
    const left: typeof missing = [];
    for (const one of missing) {
      const event = await lastEvent(bus, one.name).catch(() => undefined);
      if ((event?.last ?? 0) < one.revision) left.push(one);
    }
    missing = left;
    return left.length === 0;
  };
  await until(look, { timeoutMs, message: () => '', signal }).catch(() => signal.throwIfAborted());
  return missing.map(({ name }) => name);
}
