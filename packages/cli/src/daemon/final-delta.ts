import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { dispatchTask, lastDone, lastDoneKey, positionKey, positions, streamFacts, type Bus } from '@etcd-ops/bus';
import { describeError } from '@etcd-ops/core';
import type { Logger, Service } from '@etcd-ops/service-kit';

const FLUSH_TIMEOUT_MS = 15_000;
const POLL_PAUSE_MS = 50;

/**
 * Does nothing until it is asked to stop; then it makes one last delta of each cluster, of all that was captured. It stands between watcher and uploader:
 * stopped in reverse order, the first has ended by then and the second still works. Should it fail, nothing is lost: the
 * events stay in the stream and become a delta when the daemon starts again.
 */
export function createFinalDelta(options: { bus: Bus; clusters: () => string[]; logger: Logger }): Service {
  const { bus, clusters, logger } = options;
  return {
    name: 'final-delta',
    health: () => ({ live: true, ready: true, detail: 'waits for the end' }),
    async run(signal) {
      if (!signal.aborted) {
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      }
      await Promise.all(clusters().map((cluster) => flushOne(bus, cluster, logger)));
    },
  };
}

async function flushOne(bus: Bus, cluster: string, logger: Logger): Promise<void> {
  try {
    await flush(bus, cluster);
    logger.info({ cluster }, 'The last delta is stored');
  } catch (error) {
    logger.warn(
      { cluster, reason: describeError(error) },
      'No last delta could be made; its events stay in the stream',
    );
  }
}

/**
 * Makes a delta of all that the stream holds now. Events of which nothing has to be stored (a beginning, rows that a full has) move no
 * position, so the end of the task counts as well.
 */
export async function flush(bus: Bus, cluster: string): Promise<void> {
  const { lastSequence, messages } = await streamFacts(bus, cluster);
  if (messages === 0) return;
  const deadline = performance.now() + FLUSH_TIMEOUT_MS;
  const id = randomUUID();
  let asked = false;
  for (;;) {
    const position = (await positions(bus).get(positionKey(cluster)))?.value;
    if (position !== undefined && position.sequence >= lastSequence) return;
    const done = (await lastDone(bus).get(lastDoneKey('delta', cluster)))?.value;
    if (done?.taskId === id) {
      if (done.ok) return;
      throw new Error(`the delta failed: ${JSON.stringify(done.summary['failure'] ?? 'no reason is recorded')}`);
    }
    if (performance.now() > deadline) {
      throw new Error(`sequence ${lastSequence} was not stored within ${FLUSH_TIMEOUT_MS} ms`);
    }
    // Busy: an earlier cut is at work; ours comes behind it.
    asked ||= (await ask(bus, cluster, { id, cutSequence: lastSequence })) === 'accepted';
    await delay(POLL_PAUSE_MS);
  }
}

async function ask(bus: Bus, cluster: string, task: { id: string; cutSequence: number }): Promise<string> {
  const createdAt = new Date().toISOString();
  return await dispatchTask(bus, { version: 1, ...task, kind: 'delta', cluster, cause: 'flush', createdAt });
}
