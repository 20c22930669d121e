import { cancelled } from '../base/clock.ts';

/** Lets so many in at once, the others in the order of their coming. */
export class Semaphore {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(slots: number) {
    this.#free = slots;
  }

  /** @throws EtcdOpsError CANCELLED when the signal is aborted before there is a slot. */
  async acquire(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) throw cancelled(signal.reason);
    if (this.#free > 0) {
      this.#free--;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const granted = (): void => {
        signal?.removeEventListener('abort', aborted);
        resolve();
      };
      const aborted = (): void => {
        this.#waiting.delete(granted);
        reject(cancelled(signal?.reason));
      };
      this.#waiting.add(granted);
      signal?.addEventListener('abort', aborted, { once: true });
    });
  }

  release(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free++;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
