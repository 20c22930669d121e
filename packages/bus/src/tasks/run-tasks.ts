import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { toBusError } from '../bus-error.ts';
import type { Bus } from '../connection.ts';
import type { Task } from '../messages/task.ts';
import { ANY_POOL, TASKS_STREAM } from '../names.ts';
import { pull } from '../pull-request.ts';
import { ensureTaskConsumer } from './task-consumer.ts';
import { TaskDelivery } from './task-delivery.ts';
import type { TaskEvent } from './task-events.ts';
import { TaskRunner, type TaskHandler } from './task-runner.ts';

export interface RunTasksOptions<K extends Task['kind']> {
  kind: K;
  /** Tasks at the same time. */
  concurrencyMax: number;
  /** MUST be idempotent: the queue repeats tasks after crashes. */
  handler: TaskHandler<K>;
  /** Stops pulling; what runs may finish within `drainTimeoutMs`, the rest is handed back. */
  signal: AbortSignal;
  /** Default `any`: the tasks that need no particular host. */
  pool?: string;
  /** Default 5. An error that no repetition can mend ends a task at once. */
  attemptsMax?: number;
  /** Until attempt n + 1, or the first of these pauses, doubled each time up to a minute. Default 1 s. */
  backoffMs?: number | ((attempt: number) => number);
  /** A worker that is silent for so long has lost its task; default 30 s. Handlers may take any time. */
  ackWaitMs?: number;
  /** Default 20 s. */
  drainTimeoutMs?: number;
  /** For the history; default host and process id. */
  worker?: string;
  onEvent?: (event: TaskEvent) => void;
  now?: () => number;
}

const ATTEMPTS_MAX = 5;
const BACKOFF_MS = 1_000;
const BACKOFF_MS_MAX = 60_000;
const ACK_WAIT_MS = 30_000;
const DRAIN_TIMEOUT_MS = 20_000;
/** For handlers that were aborted: to clean up. */
const ABORT_GRACE_MS = 2_000;
const PULL_EXPIRES_MS = 30_000;
const TROUBLE_PAUSE_MS = 500;

/**
 * Works off the tasks of one kind until the signal is aborted; then resolves. Each free slot pulls one message, so that
 * no message waits behind a slow one, and a cluster whose task fails again and again holds up nobody else.
 * @throws EtcdOpsError when the consumer cannot be made or the bus was closed
 */
export async function runTasks<K extends Task['kind']>(bus: Bus, options: RunTasksOptions<K>): Promise<void> {
  const { kind, signal, pool = ANY_POOL, ackWaitMs = ACK_WAIT_MS, onEvent = () => {} } = options;
  const abort = new AbortController();
  const runner = new TaskRunner(bus, {
    kind,
    handler: options.handler,
    attemptsMax: options.attemptsMax ?? ATTEMPTS_MAX,
    backoffMs: backoff(options.backoffMs ?? BACKOFF_MS),
    ackWaitMs,
    worker: options.worker ?? `${hostname()}/${process.pid}`,
    abortSignal: abort.signal,
    now: options.now ?? Date.now,
    onEvent,
  });
  if (signal.aborted) return;
  let consumer = ensureTaskConsumer(bus, { kind, pool, ackWaitMs });
  await consumer;
  const running = new Set<TaskDelivery>();

  const slot = async (): Promise<void> => {
    while (!signal.aborted) {
      const used = consumer;
      const end = await step(used);
      if (end === 'gone' && consumer === used && !signal.aborted) {
        onEvent({ type: 'consumer-gone' });
        await rest(signal);
        consumer = ensureTaskConsumer(bus, { kind, pool, ackWaitMs });
        // Whichever slot pulls next hears of a failure; when all are stopping, nobody has to.
        consumer.catch(() => {});
      }
    }
  };

  const step = async (used: Promise<string>): Promise<'gone' | 'ok'> => {
    try {
      await bus.whenConnected(signal);
      const pulled = await pull(bus, {
        stream: TASKS_STREAM,
        consumer: await used,
        batch: 1,
        expiresMs: PULL_EXPIRES_MS,
        signal,
      });
      for (const message of pulled.messages) {
        const delivery = new TaskDelivery(bus, message);
        if (signal.aborted) await runner.release(delivery);
        else await track(delivery);
      }
      if (pulled.end === 'lost') await rest(signal);
      return pulled.end === 'gone' ? 'gone' : 'ok';
    } catch (error) {
      if (signal.aborted) return 'ok';
      if (bus.nc.isClosed()) throw toBusError(error, `Working off ${kind} tasks`);
      onEvent({ type: 'bus-failed', error: toBusError(error, `Pulling ${kind} tasks`) });
      await rest(signal);
      return 'gone';
    }
  };

  const track = async (delivery: TaskDelivery): Promise<void> => {
    running.add(delivery);
    try {
      await runner.run(delivery);
    } finally {
      running.delete(delivery);
    }
  };

  const slots = Promise.all(Array.from({ length: options.concurrencyMax }, slot));
  const stopped = Promise.withResolvers<void>();
  const onAbort = () => void stop().then(stopped.resolve, stopped.reject);
  const stop = async () => {
    const drained = slots.then(() => true);
    drained.catch(() => {});
    if (await Promise.race([drained, delay(options.drainTimeoutMs ?? DRAIN_TIMEOUT_MS, false, { ref: false })])) return;
    abort.abort(signal.reason);
    if (await Promise.race([drained, delay(ABORT_GRACE_MS, false, { ref: false })])) return;
    // A handler that does not heed its signal: somebody else may begin now, handlers are idempotent.
    for (const delivery of running) await runner.release(delivery);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await Promise.race([slots.then(() => (signal.aborted ? stopped.promise : undefined)), stopped.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function backoff(given: number | ((attempt: number) => number)): (attempt: number) => number {
  if (typeof given === 'function') return given;
  // The jitter keeps tasks that failed together from coming back together.
  return (attempt) => Math.min(given * 2 ** (attempt - 1), BACKOFF_MS_MAX) * (0.8 + Math.random() * 0.4);
}

/** A pause that the end of the work cuts short. */
async function rest(signal: AbortSignal): Promise<void> {
  await delay(TROUBLE_PAUSE_MS, undefined, { signal }).catch(() => {});
}
