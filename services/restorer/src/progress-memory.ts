import { PROGRESS_SUBJECTS, progressSchema, type Bus, type Progress } from '@etcd-ops/bus';

const TASKS_MAX = 1_000;

/** The last that was heard of each task. Progress is told once and kept nowhere; who asks later would hear nothing. */
export class ProgressMemory implements Disposable {
  readonly #last = new Map<string, Progress>();
  readonly #stop: () => void;

  constructor(bus: Bus) {
    const subscription = bus.nc.subscribe(PROGRESS_SUBJECTS, {
      callback: (error, message) => {
        if (error === null) this.#note(message.string());
      },
    });
    // A refusal shows in the connection's status; without progress the states are told all the same.
    subscription.closed.catch(() => {});
    this.#stop = () => subscription.unsubscribe();
  }

  of(taskId: string): Progress | undefined {
    return this.#last.get(taskId);
  }

  [Symbol.dispose](): void {
    this.#stop();
  }

  #note(text: string): void {
    const progress = parsed(text);
    if (progress === undefined) return;
    this.#last.delete(progress.taskId);
    this.#last.set(progress.taskId, progress);
    if (this.#last.size <= TASKS_MAX) return;
    const [oldest] = this.#last.keys();
    if (oldest !== undefined) this.#last.delete(oldest);
  }
}

function parsed(text: string): Progress | undefined {
  try {
    return progressSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
