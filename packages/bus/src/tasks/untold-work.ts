import type { TaskOutcome } from './task-runner.ts';

/** Work that ended well, for the records. */
export interface DoneWork {
  attempt: number;
  startedMs: number;
  finishedMs: number;
  outcome: TaskOutcome;
}

const REMEMBERED_MAX = 1_000;

/** Work of this process that NATS could not be told of. Its task comes again: then it is told, not done again, which a restore could not even be. */
export class UntoldWork {
  readonly #byTask = new Map<string, DoneWork>();

  /** Of the latest thousand tasks. */
  remember(taskId: string, work: DoneWork): void {
    this.#byTask.set(taskId, work);
    if (this.#byTask.size <= REMEMBERED_MAX) return;
    const [oldest] = this.#byTask.keys();
    this.#byTask.delete(oldest!);
  }

  of(taskId: string): DoneWork | undefined {
    return this.#byTask.get(taskId);
  }

  /** Somebody told of it. */
  forget(taskId: string): void {
    this.#byTask.delete(taskId);
  }
}
