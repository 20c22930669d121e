import { dispatchTask, type Bus, type FullTask } from '@etcd-ops/bus';
import { describeError, type Revision } from '@etcd-ops/core';
import { retry, type Clock } from '@etcd-ops/service-kit';
import { randomUUID } from 'node:crypto';
import type { CaptureVoice } from './metrics.ts';

export interface FullRequestOptions {
  bus: Bus;
  cause: FullTask['cause'];
  voice: CaptureVoice;
  /** Of a catch-up: L. */
  after?: Revision;
  clock: Clock;
  /** How often a busy queue is asked again. */
  delayMs: number;
  signal: AbortSignal;
}

/**
 * Asks for a full snapshot that a new history needs as its base, until the queue has accepted it. A queue that is busy may hold a full
 * that began before this history, so it is asked again. Each request has an id of its own: a duplicate would be dropped.
 * Answers the task's id. @throws EtcdOpsError CANCELLED
 */
export async function requestFull(options: FullRequestOptions): Promise<string> {
  const { bus, cause, voice, after, clock, delayMs, signal } = options;
  const { cluster, logger } = voice;
  const id = randomUUID();
  const task: FullTask = {
    version: 1,
    id,
    kind: 'full',
    cluster,
    pool: 'any',
    cause,
    ...(after === undefined ? {} : { after }),
    createdAt: new Date(clock.now()).toISOString(),
  };
  await retry(
    async () => {
      const outcome = await dispatchTask(bus, task, { messageId: `full/${cluster}/${id}` });
      if (outcome === 'busy') throw new Error('a full is waiting or running already');
    },
    {
      signal,
      clock,
      delayMs,
      delayMsMax: delayMs,
      shouldRetry: () => true,
      onRetry: ({ error }) =>
        logger.debug({ cause, reason: describeError(error) }, 'The full snapshot is asked for again'),
    },
  );
  logger.info({ cause, task: id, after }, 'A full snapshot was asked for');
  return id;
}
