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
import { TaskRunner, type AttemptsMax, type TaskHandler } from './task-runner.ts';

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
  attemptsMax?: AttemptsMax;
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
/** A queue that is never empty is looked at so often. */
const LOOK_PERIOD_MS = 60_000;

/**
 * Works off the tasks of one kind until the signal is aborted; then resolves. Each free slot pulls one message, so that
 * no message waits behind a slow one, and a cluster whose task fails again and again holds up nobody else.
 * @throws EtcdOpsError when the bus refuses the consumer or was closed
 */
export async function runTasks<K extends Task['kind']>(bus: Bus, options: RunTasksOptions<K>): Promise<void> {
  if (!options.signal.aborted) await new TaskLoop(bus, options).run();
}

class TaskLoop<K extends Task['kind']> {
  readonly #bus: Bus;
  readonly #options: RunTasksOptions<K>;
  readonly #signal: AbortSignal;
  readonly #abort = new AbortController();
  readonly #runner: TaskRunner<K>;
  readonly #running = new Set<TaskDelivery>();
  readonly #onEvent: (event: TaskEvent) => void;
  #consumer: Promise<string> | undefined;
  /** When the consumer was looked after: `disconnects` of the bus, and the time. */
  #ensuredAt = { disconnects: -1, ms: 0 };

  constructor(bus: Bus, options: RunTasksOptions<K>) {
    this.#bus = bus;
    this.#options = options;
    this.#signal = options.signal;
    this.#onEvent = options.onEvent ?? (() => {});
    this.#runner = new TaskRunner(bus, {
      kind: options.kind,
      handler: options.handler,
      attemptsMax: options.attemptsMax ?? ATTEMPTS_MAX,
      backoffMs: backoff(options.backoffMs ?? BACKOFF_MS),
      ackWaitMs: options.ackWaitMs ?? ACK_WAIT_MS,
      worker: options.worker ?? `${hostname()}/${process.pid}`,
      abortSignal: this.#abort.signal,
      now: options.now ?? Date.now,
      onEvent: this.#onEvent,
    });
  }

  async run(): Promise<void> {
    await this.#firstConsumer();
    if (this.#signal.aborted) return;
    const slots = Promise.all(Array.from({ length: this.#options.concurrencyMax }, () => this.#slot()));
    const stopRequested = Promise.withResolvers<void>();
    const onAbort = () => stopRequested.resolve();
    this.#signal.addEventListener('abort', onAbort, { once: true });
    if (this.#signal.aborted) onAbort();
    try {
      // Slots only end by the signal, or with an error that nothing can mend.
      await Promise.race([slots, stopRequested.promise]);
      await this.#stop(slots);
    } finally {
      this.#signal.removeEventListener('abort', onAbort);
    }
  }

  /** A queue that is refused for good ends the worker; one that is electing its leader, or cannot be reached, is waited for. */
  async #firstConsumer(): Promise<void> {
    while (!this.#signal.aborted) {
      const consumer = this.#ensureConsumer();
      try {
        await consumer;
        return;
      } catch (error) {
        const failure = toBusError(error, `Preparing for ${this.#options.kind} tasks`);
        if (!failure.retriable || this.#bus.nc.isClosed()) throw failure;
        this.#onEvent({ type: 'bus-failed', error: failure });
        this.#lookAgain(consumer);
        await rest(this.#signal);
      }
    }
  }

  async #stop(slots: Promise<unknown>): Promise<void> {
    if (await endsWithin(slots, this.#options.drainTimeoutMs ?? DRAIN_TIMEOUT_MS)) return;
    this.#abort.abort(this.#signal.reason);
    if (await endsWithin(slots, ABORT_GRACE_MS)) return;
    // A handler that does not heed its signal: somebody else may begin now, handlers are idempotent.
    for (const delivery of this.#running) await this.#runner.release(delivery);
  }

  async #slot(): Promise<void> {
    while (!this.#signal.aborted) {
      const consumer = this.#ensureConsumer();
      if (await this.#step(consumer)) continue;
      this.#lookAgain(consumer);
      await rest(this.#signal);
    }
  }

  /** Pulls one task and sees it through; false when the consumer has to be looked after. */
  async #step(ensured: Promise<string>): Promise<boolean> {
    try {
      await this.#bus.whenConnected(this.#signal);
      const options = { stream: TASKS_STREAM, consumer: await ensured, batch: 1, expiresMs: PULL_EXPIRES_MS };
      const { messages, end } = await pull(this.#bus, { ...options, signal: this.#signal });
      for (const message of messages) await this.#handle(new TaskDelivery(this.#bus, message));
      if (end === 'gone') this.#onEvent({ type: 'consumer-gone' });
      if (end === 'lost') await rest(this.#signal);
      // Long without a task: whether there is none, or none that the consumer knows of, is worth a look.
      if (end === 'empty') this.#lookAgain(ensured);
      return end !== 'gone';
    } catch (error) {
      if (this.#signal.aborted) return true;
      const failure = toBusError(error, `Pulling ${this.#options.kind} tasks`);
      if (this.#bus.nc.isClosed()) throw failure;
      this.#onEvent({ type: 'bus-failed', error: failure });
      return false;
    }
  }

  async #handle(delivery: TaskDelivery): Promise<void> {
    // It arrived while this worker turned away.
    if (this.#signal.aborted) return this.#runner.release(delivery);
    this.#running.add(delivery);
    try {
      await this.#runner.run(delivery);
    } finally {
      this.#running.delete(delivery);
    }
  }

  /** All slots notice at about the same time; the first to come makes the consumer again. */
  #lookAgain(consumer: Promise<string>): void {
    if (this.#consumer === consumer) this.#consumer = undefined;
  }

  #ensureConsumer(): Promise<string> {
    const { disconnects } = this.#bus;
    const ms = performance.now();
    // A server that came back may have lost the tail of its queue, and what hides that at first shows later.
    const isOld = disconnects !== this.#ensuredAt.disconnects || ms - this.#ensuredAt.ms > LOOK_PERIOD_MS;
    if (this.#consumer === undefined || isOld) {
      this.#ensuredAt = { disconnects, ms };
      const { kind, pool = ANY_POOL, ackWaitMs = ACK_WAIT_MS } = this.#options;
      this.#consumer = ensureTaskConsumer(this.#bus, {
        ...{ kind, pool, ackWaitMs },
        onUnreadable: (error) => this.#onEvent({ type: 'tasks-unreadable', error }),
      });
      // Whichever slot pulls next hears of a failure; when all are stopping, nobody has to.
      this.#consumer.catch(() => {});
    }
    return this.#consumer;
  }
}

async function endsWithin(work: Promise<unknown>, limitMs: number): Promise<boolean> {
  const limit = new AbortController();
  try {
    return await Promise.race([work.then(() => true), delay(limitMs, false, { signal: limit.signal })]);
  } finally {
    limit.abort();
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
