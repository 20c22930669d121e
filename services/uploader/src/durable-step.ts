import type { StartEvent } from '@etcd-ops/bus';
import { putDelta, putLeases, type ObjectStore, type Packing } from '@etcd-ops/core';
import type { Logger } from '@etcd-ops/service-kit';
import type { CutStep } from './delta-cutter.ts';
import { recordTimeline } from './repository-records.ts';

export interface StepOptions {
  store: ObjectStore;
  packing: Packing;
  logger: Logger;
  signal: AbortSignal;
}

const STORED = Buffer.alloc(0);

/** A gap, or what a watcher went on from, lies somewhere inside of a timeline. */
export function beginsTimeline({ cause }: StartEvent): boolean {
  return cause === 'first' || cause === 'fork';
}

export interface DurableStep {
  /** As it was stored. */
  step: CutStep;
  storedBytes: number;
}

/** @throws EtcdOpsError STORE_EXISTS when an object contradicts the step; STORE_..., CANCELLED. */
export async function makeDurable(step: CutStep, cluster: string, options: StepOptions): Promise<DurableStep> {
  if (step.kind === 'delta') return await storeDelta(step, cluster, options);
  if (step.kind === 'leases') {
    const { storedBytes } = await putLeases(options.store, step.key, step.object, options);
    return { step, storedBytes };
  }
  await recordStart(step, cluster, options.store);
  return { step, storedBytes: 0 };
}

/**
 * An uploader that died between object and position leaves an object whose name says all but what was learned of leases behind its rows:
 * it may have learned less. Were that refused, a cluster that nobody writes to would be stuck until somebody does.
 */
async function storeDelta(
  step: CutStep & { kind: 'delta' },
  cluster: string,
  { store, packing, logger, signal }: StepOptions,
): Promise<DurableStep> {
  const { recipients } = packing;
  const { outcome, key, storedBytes } = await putDelta(store, step.key, step.delta, {
    recipients,
    signal,
    settle: true,
  });
  // The step is known until the next one is made: two objects would be held at a time.
  step.delta.bytes = STORED;
  if (key !== step.key) {
    logger.error(
      { cluster, unreadable: step.key, key },
      'Under the name of a delta lies what nobody can read: the delta is stored beside it',
    );
    return { step: { ...step, key }, storedBytes };
  }
  if (outcome !== 'same-rows') return { step, storedBytes };
  return { step: { ...step, position: { ...step.position, sequence: step.rowsSequence } }, storedBytes };
}

async function recordStart(step: CutStep & { kind: 'start' }, cluster: string, store: ObjectStore): Promise<void> {
  const { timeline, clusterId, revision, observedMs, after } = step.start;
  if (!beginsTimeline(step.start)) return;
  const previousTimeline = step.previous?.timeline ?? timeline;
  await recordTimeline(store, {
    cluster,
    timeline,
    clusterId,
    revision,
    atMs: observedMs,
    ...(previousTimeline === timeline || after === undefined
      ? {}
      : { previous: { timeline: previousTimeline, revision: after } }),
  });
}
