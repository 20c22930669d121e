import { lastEvent } from '@etcd-ops/bus';
import { decodeClusterName } from '@etcd-ops/core';
import { sample, type Window } from './measure.ts';
import { until } from './process-facts.ts';
import { realName, standInName, type ScaleStage } from './stage.ts';

const EVENTS_SUBJECT = 'etcdops.events.';
const TAKEOVER_MS_MAX = 60_000;

export interface Takeover {
  /** Clusters that the killed watcher owned. */
  clusters: number;
  /** From the kill to the first event that somebody else captured, ascending. */
  capturedMs: number[];
  /** Those that nobody captured in time. */
  lost: string[];
  /** From the kill until all were captured again. */
  window: Window;
}

/** Kills the watcher with the most clusters while all are written to, and waits until each of its clusters is captured again. */
export async function killOneWatcher(stage: ScaleStage): Promise<Takeover> {
  const { services, bus, signal } = stage;
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
  const from = await sample(stage);
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
  const to = await sample(stage);
  return {
    clusters: count,
    capturedMs: capturedMs.toSorted((left, right) => left - right),
    lost: [...orphans],
    window: { seconds: (to.atMs - from.atMs) / 1_000, from, to },
  };
}

export interface CalmTakeover {
  pid: number;
  /** Stand-ins that the killed watcher owned. */
  clusters: number;
  /** From the kill until so many of them were watched again: half, 99 of 100, all; undefined: not in time. */
  halfMs: number | undefined;
  nearlyAllMs: number | undefined;
  allMs: number | undefined;
}

/** Kills the watcher with the most clusters while nothing is written, and waits until each stand-in has a watch again. */
export async function killOneInTheCalm({ services, standIn, signal }: ScaleStage): Promise<CalmTakeover> {
  const [first] = await services.owned();
  if (first === undefined) throw new Error('no watcher runs');
  const watched = async (): Promise<number> => (await standIn.ask({})).watched;
  const before = await watched();
  await services.kill(first.pid);
  const killedMs = performance.now();
  const reached: CalmTakeover = {
    pid: first.pid,
    clusters: 0,
    halfMs: undefined,
    nearlyAllMs: undefined,
    allMs: undefined,
  };
  const look = async (): Promise<boolean> => {
    const missing = before - (await watched());
    const nowMs = performance.now() - killedMs;
    // Their connections end one by one.
    reached.clusters = Math.max(reached.clusters, missing);
    if (missing === reached.clusters) return false;
    if (missing <= reached.clusters / 2) reached.halfMs ??= nowMs;
    if (missing <= reached.clusters / 100) reached.nearlyAllMs ??= nowMs;
    if (missing <= 0) reached.allMs ??= nowMs;
    return missing <= 0;
  };
  await until(look, { timeoutMs: TAKEOVER_MS_MAX, message: () => '', signal }).catch(() => signal.throwIfAborted());
  return reached;
}

/** Clusters whose last revision is not in their streams after `timeoutMs`; nothing is written any more. */
export async function notCaptured(
  { bus, standIn, signal }: ScaleStage,
  realRevisions: readonly number[],
  timeoutMs: number,
): Promise<string[]> {
  const { revisions } = await standIn.ask({ writesPerSecond: 0 });
  let missing = [
    ...revisions.map((revision, index) => ({ name: standInName(index), revision })),
    ...realRevisions.map((revision, index) => ({ name: realName(index), revision })),
  ];
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
