import { isEtcdOpsError } from '@etcd-ops/core';
import { toBusError } from '../bus-error.ts';
import type { Bus } from '../connection.ts';
import type { Documents, Stored } from '../documents.ts';
import { attemptSchema, type Attempt } from '../messages/attempt.ts';
import { deadLetterSchema, type DeadLetter } from '../messages/dead-letter.ts';
import type { LastDone } from '../messages/last-done.ts';
import { taskResultSchema, type TaskResult } from '../messages/task-result.ts';
import type { Task } from '../messages/task.ts';
import { attemptKey, doneSubject, lastDoneKey } from '../names.ts';
import { attempts, lastDone } from '../state.ts';

const CAS_TRIES_MAX = 8;

/** What is written down about tasks beside the queue: attempts, last done, history, dead letters. */
export class TaskRecords {
  readonly #bus: Bus;
  readonly #attempts: Documents<Attempt>;
  readonly #lastDone: Documents<LastDone>;

  constructor(bus: Bus) {
    this.#bus = bus;
    this.#attempts = attempts(bus);
    this.#lastDone = lastDone(bus);
  }

  /** What is known of earlier attempts at this very task. */
  async attemptsAt(task: Task): Promise<Attempt | undefined> {
    const found = await readable(this.#attempts.get(attemptKey(task)));
    return found?.value.taskId === task.id ? found.value : undefined;
  }

  async recordAttempt(
    task: Task,
    attempt: Omit<Attempt, 'version' | 'taskId' | 'updatedAt'>,
    nowMs: number,
  ): Promise<void> {
    const updatedAt = new Date(nowMs).toISOString();
    await this.#attempts.put(
      attemptKey(task),
      attemptSchema.parse({ version: 1, taskId: task.id, updatedAt, ...attempt }),
    );
  }

  async forgetAttempts(task: Task): Promise<void> {
    await this.#attempts.delete(attemptKey(task));
  }

  async lastDoneOf(task: Task): Promise<LastDone | undefined> {
    return (await readable(this.#lastDone.get(lastDoneKeyOf(task))))?.value;
  }

  /** Ticks only move forward: a late repetition must not make an older tick the newest. */
  async recordLastDone(task: Task, done: LastDone): Promise<void> {
    const key = lastDoneKeyOf(task);
    for (let attempt = 1; attempt <= CAS_TRIES_MAX; attempt++) {
      const found = await readable(this.#lastDone.get(key));
      const tick = newest(found?.value.tick, done.ok ? done.tick : undefined);
      const { tick: _, ...rest } = done;
      const value: LastDone = { ...rest, ...(tick === undefined ? {} : { tick }) };
      // A document that cannot be read is written over; then there is nothing to compare with.
      const written =
        found === undefined
          ? ((await this.#lastDone.create(key, value)) ??
            (attempt > 2 ? await this.#lastDone.put(key, value) : undefined))
          : await this.#lastDone.update(key, value, found.revision);
      if (written !== undefined) return;
    }
    throw toBusError(new Error(`${CAS_TRIES_MAX} others were faster`), `Recording the end of ${task.id}`);
  }

  async recordResult(result: TaskResult, task: Task): Promise<void> {
    const body = JSON.stringify(taskResultSchema.parse(result));
    // Ticks give the tasks of all clusters one id, and the server takes an id that it has seen for a repetition, whatever the subject.
    const msgID = `${task.kind}/${task.cluster}/${task.id}/${result.ok ? 'done' : 'dead'}`;
    await this.#publish(doneSubject(task.kind, task.cluster), body, msgID);
  }

  async recordDead(letter: DeadLetter): Promise<void> {
    // etcdops.task.<kind>.<pool>.<cluster>: taken from the subject, since the task itself may be unreadable.
    const tokens = letter.subject.split('.');
    const body = JSON.stringify(deadLetterSchema.parse(letter));
    await this.#publish(`etcdops.dead.${tokens[2]}.${tokens[4]}`, body, `dead/${letter.sequence}`);
  }

  async #publish(subject: string, body: string, msgID: string): Promise<void> {
    try {
      await this.#bus.js.publish(subject, body, { msgID, timeout: this.#bus.requestTimeoutMs });
    } catch (error) {
      throw toBusError(error, `Recording to ${subject}`);
    }
  }
}

function lastDoneKeyOf(task: Task): string {
  return lastDoneKey(task.kind, task.cluster, task.kind === 'copy' ? task.destination : undefined);
}

function newest(left: string | undefined, right: string | undefined): string | undefined {
  if (left === undefined || right === undefined) return left ?? right;
  return Date.parse(left) >= Date.parse(right) ? left : right;
}

/** A document of another version must not stop the work that it only comments on. */
async function readable<T>(found: Promise<Stored<T> | undefined>): Promise<Stored<T> | undefined> {
  try {
    return await found;
  } catch (error) {
    if (isEtcdOpsError(error, 'BUS_MESSAGE_INVALID') || isEtcdOpsError(error, 'BUS_VERSION_UNKNOWN')) return undefined;
    throw error;
  }
}
