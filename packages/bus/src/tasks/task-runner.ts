import { EtcdOpsError, isEtcdOpsError } from '@etcd-ops/core';
import { toBusError } from '../bus-error.ts';
import type { Bus } from '../connection.ts';
import type { Attempt } from '../messages/attempt.ts';
import type { Failure } from '../messages/failure.ts';
import type { LastDone } from '../messages/last-done.ts';
import { readTolerantly } from '../messages/read-tolerantly.ts';
import { taskSchema, taskVersionMax, type Task, type TaskOf } from '../messages/task.ts';
import type { TaskDelivery } from './task-delivery.ts';
import type { TaskEvent } from './task-events.ts';
import { failureOf } from './failure-of.ts';
import { progressPublisher, type ProgressReport } from './task-progress.ts';
import { TaskRecords } from './task-records.ts';
import { UntoldWork, type DoneWork } from './untold-work.ts';

export interface TaskContext {
  /** Aborted when the worker has to stop and its time for finishing is over. */
  signal: AbortSignal;
  /** 1 for the first. */
  attempt: number;
  progress: (report: ProgressReport) => void;
  /** What was done last of this kind for this cluster. */
  lastDone?: LastDone;
}

export interface TaskOutcome {
  /** Facts for the history: keys, revisions, bytes. JSON. */
  summary?: Record<string, unknown>;
  /** False when nothing had to be done: such a task leaves no line in the history. */
  changed?: boolean;
}

/** May end without a word: then something was changed, and there is nothing to tell of it. */
export type TaskHandler<K extends Task['kind']> = (
  task: TaskOf<K>,
  context: TaskContext,
) => Promise<TaskOutcome | undefined>;

/** How often a task is tried, also by what was done last of its kind. Without end (Infinity), it stays in the queue whatever its error is. */
export type AttemptsMax = number | ((lastDone: LastDone | undefined) => number);

export interface TaskRunnerOptions<K extends Task['kind']> {
  kind: K;
  handler: TaskHandler<K>;
  attemptsMax: AttemptsMax;
  /** Milliseconds until attempt n + 1. */
  backoffMs: (attempt: number) => number;
  ackWaitMs: number;
  worker: string;
  /** Aborts the handlers. */
  abortSignal: AbortSignal;
  now: () => number;
  onEvent: (event: TaskEvent) => void;
}

/** A failure before the work is the bus's, not the task's: it comes again soon. */
const BUS_RETRY_MS = 1_000;
/** A task of a later version is left to workers of that version for half an hour: so long an upgrade may take. */
const NEWER_RETRY_MS = 15_000;
const NEWER_DELIVERIES_MAX = 120;

/** Takes one delivery from decoding to its acknowledgement. Never throws. */
export class TaskRunner<K extends Task['kind']> {
  readonly #bus: Bus;
  readonly #options: TaskRunnerOptions<K>;
  readonly #records: TaskRecords;
  readonly #untold = new UntoldWork();

  constructor(bus: Bus, options: TaskRunnerOptions<K>) {
    this.#bus = bus;
    this.#options = options;
    this.#records = new TaskRecords(bus);
  }

  async run(delivery: TaskDelivery): Promise<void> {
    // The queue gives the task to somebody else unless it hears of us: also while only the records are read.
    const heartbeat = setInterval(() => delivery.working(), this.#options.ackWaitMs / 3);
    try {
      const task = this.#decode(delivery);
      if (isEtcdOpsError(task, 'BUS_VERSION_UNKNOWN') && delivery.deliveries < NEWER_DELIVERIES_MAX) {
        this.#options.onEvent({ type: 'newer', subject: delivery.subject, error: task });
        delivery.nak(NEWER_RETRY_MS);
      } else if (task instanceof EtcdOpsError) {
        await this.#bury(delivery, delivery.text.slice(0, 4096), 0, failureOf(task));
      } else {
        await this.#runTask(delivery, task);
      }
    } catch (error) {
      const { subject } = delivery;
      this.#options.onEvent({ type: 'bus-failed', subject, error: toBusError(error, `Handling ${subject}`) });
      delivery.nak(BUS_RETRY_MS);
    } finally {
      clearInterval(heartbeat);
    }
  }

  async #runTask(delivery: TaskDelivery, task: TaskOf<K>): Promise<void> {
    const { onEvent } = this.#options;
    const [earlier, lastDone] = await Promise.all([this.#records.attemptsAt(task), this.#records.lastDoneOf(task)]);
    if (isAlreadyDone(task, lastDone)) {
      this.#untold.forget(task.id);
      await delivery.ack();
      onEvent({ type: 'already-done', task });
      return;
    }
    const done = this.#untold.of(task.id);
    if (done !== undefined) return await this.#finish(delivery, task, done);
    const attempt = Math.max(delivery.deliveries - (earlier?.released ?? 0), (earlier?.attempts ?? 0) + 1);
    // Counted before the work: a task that kills its worker never gets to say so.
    if (attempt > this.#attemptsMax(lastDone)) {
      await this.#giveUp(delivery, task, attempt - 1, earlier?.failure ?? vanished());
      return;
    }
    if (attempt - 1 > (earlier?.attempts ?? 0)) {
      const failure = earlier?.failure ?? vanished();
      await this.#record(task, { attempts: attempt - 1, released: earlier?.released ?? 0, failure });
    }
    await this.#work(delivery, task, attempt, earlier, lastDone);
  }

  async #work(
    delivery: TaskDelivery,
    task: TaskOf<K>,
    attempt: number,
    earlier?: Attempt,
    lastDone?: LastDone,
  ): Promise<void> {
    const { handler, abortSignal, now, onEvent } = this.#options;
    const startedMs = now();
    onEvent({ type: 'started', task, attempt });
    let outcome: TaskOutcome;
    try {
      const progress = progressPublisher(this.#bus, task, now);
      const context = { signal: abortSignal, attempt, progress, ...(lastDone === undefined ? {} : { lastDone }) };
      outcome = (await handler(task, context)) ?? {};
    } catch (error) {
      if (abortSignal.aborted) await this.release(delivery, task, earlier);
      else await this.#fail(delivery, task, attempt, { earlier, lastDone, error });
      return;
    }
    const done = { attempt, startedMs, finishedMs: now(), outcome };
    this.#untold.remember(task.id, done);
    await this.#finish(delivery, task, done);
  }

  /** The effect is durable by now; the acknowledgement comes behind everything that is written about it. */
  async #finish(delivery: TaskDelivery, task: TaskOf<K>, done: DoneWork): Promise<void> {
    const { attempt, startedMs, finishedMs, outcome } = done;
    const { summary = {}, changed = true } = outcome;
    const finishedAt = new Date(finishedMs).toISOString();
    if (changed) {
      const startedAt = new Date(startedMs).toISOString();
      await this.#records.recordResult(
        { ...this.#resultBase(task), startedAt, finishedAt, attempt, ok: true, summary },
        task,
      );
    }
    const tick = task.tick === undefined ? {} : { tick: task.tick };
    await this.#records.recordLastDone(task, { version: 1, taskId: task.id, ...tick, finishedAt, ok: true, summary });
    await delivery.ack();
    this.#untold.forget(task.id);
    this.#options.onEvent({ type: 'done', task, attempt, durationMs: finishedMs - startedMs, changed });
    if (attempt > 1) await this.#records.forgetAttempts(task).catch(() => {});
  }

  async #fail(
    delivery: TaskDelivery,
    task: TaskOf<K>,
    attempt: number,
    { earlier, lastDone, error }: { earlier: Attempt | undefined; lastDone: LastDone | undefined; error: unknown },
  ): Promise<void> {
    const failure = failureOf(error);
    const attemptsMax = this.#attemptsMax(lastDone);
    const isInVain = isEtcdOpsError(error) && !error.retriable && attemptsMax < Infinity;
    const final = attempt >= attemptsMax || isInVain;
    const retryInMs = final ? 0 : this.#options.backoffMs(attempt);
    this.#options.onEvent({ type: 'failed', task, attempt, failure, error, retryInMs });
    // The cause first: whoever buries the task later can then name it.
    await this.#record(task, { attempts: attempt, released: earlier?.released ?? 0, failure });
    if (final) await this.#giveUp(delivery, task, attempt, failure);
    else delivery.nak(retryInMs);
  }

  #attemptsMax(lastDone: LastDone | undefined): number {
    const { attemptsMax } = this.#options;
    return typeof attemptsMax === 'number' ? attemptsMax : attemptsMax(lastDone);
  }

  async #giveUp(delivery: TaskDelivery, task: TaskOf<K>, attempts: number, failure: Failure): Promise<void> {
    const at = new Date(this.#options.now()).toISOString();
    await this.#records.recordResult(
      {
        ...this.#resultBase(task),
        startedAt: at,
        finishedAt: at,
        attempt: Math.max(1, attempts),
        ok: false,
        summary: {},
        failure,
      },
      task,
    );
    await this.#records.recordLastDone(task, {
      version: 1,
      taskId: task.id,
      finishedAt: at,
      ok: false,
      summary: { failure },
    });
    await this.#bury(delivery, task, attempts, failure);
    await this.#records.forgetAttempts(task).catch(() => {});
  }

  /** Out of the queue, so that the subject is free; the dead letter is stored before. */
  async #bury(delivery: TaskDelivery, task: unknown, attempts: number, cause: Failure): Promise<void> {
    const { subject, sequence } = delivery;
    const deadAt = new Date(this.#options.now()).toISOString();
    await this.#records.recordDead({
      version: 1,
      task,
      subject,
      sequence,
      attempts,
      cause,
      deadAt,
      worker: this.#options.worker,
    });
    await delivery.term();
    this.#options.onEvent({ type: 'dead', subject, attempts, failure: cause });
  }

  /** Hands a task back because this worker stops; it does not count as an attempt. */
  async release(delivery: TaskDelivery, task?: TaskOf<K>, earlier?: Attempt): Promise<void> {
    if (delivery.settled) return;
    if (task !== undefined) {
      const { attempts = 0, failure } = earlier ?? {};
      const released = delivery.deliveries - attempts;
      const record = { attempts, released, ...(failure === undefined ? {} : { failure }) };
      await this.#record(task, record).catch(() => {});
    }
    delivery.nak(0);
    this.#options.onEvent({ type: 'released', subject: delivery.subject });
  }

  #record(task: Task, attempt: Pick<Attempt, 'attempts' | 'released'> & { failure?: Failure }): Promise<void> {
    return this.#records.recordAttempt(task, attempt, this.#options.now());
  }

  #resultBase(task: TaskOf<K>) {
    return {
      version: 1 as const,
      taskId: task.id,
      kind: task.kind,
      cluster: task.cluster,
      ...('cause' in task ? { cause: task.cause } : {}),
      ...(task.tick === undefined ? {} : { tick: task.tick }),
      worker: this.#options.worker,
    };
  }

  #decode(delivery: TaskDelivery): TaskOf<K> | EtcdOpsError {
    try {
      const { value: task } = readTolerantly(taskSchema, JSON.parse(delivery.text), 'The task', {
        versionMax: taskVersionMax(this.#options.kind),
      });
      if (isOfKind(task, this.#options.kind)) return task;
      return new EtcdOpsError('BUS_MESSAGE_INVALID', {
        message: `A ${task.kind} among tasks of kind ${this.#options.kind}`,
      });
    } catch (cause) {
      if (isEtcdOpsError(cause, 'BUS_VERSION_UNKNOWN')) return cause;
      const message = `The task does not follow its schema: ${cause instanceof Error ? cause.message : String(cause)}`;
      return new EtcdOpsError('BUS_MESSAGE_INVALID', { message, cause });
    }
  }
}

/** The queue repeats tasks: after a server's crash even acknowledged ones. */
function isAlreadyDone(task: Task, last: LastDone | undefined): boolean {
  if (last === undefined) return false;
  if (last.ok && last.taskId === task.id) return true;
  return task.tick !== undefined && last.tick !== undefined && Date.parse(task.tick) <= Date.parse(last.tick);
}

function isOfKind<K extends Task['kind']>(task: Task, kind: K): task is TaskOf<K> {
  return task.kind === kind;
}

function vanished(): Failure {
  return { code: 'WORKER_VANISHED', message: 'The worker ended without a word; memory or a crash are likely.' };
}
