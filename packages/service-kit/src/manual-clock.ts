import { cancelled, type Clock } from './clock.ts';

interface Sleeper {
  /** By the monotonic time: setting the wall clock wakes nobody. */
  dueMs: number;
  wake: () => void;
}

/** A clock that stands still until a test moves it. */
export class ManualClock implements Clock {
  #elapsedMs = 0;
  #offsetMs: number;
  #sleepers: Sleeper[] = [];

  constructor(nowMs = 0) {
    this.#offsetMs = nowMs;
  }

  now(): number {
    return this.#elapsedMs + this.#offsetMs;
  }

  /** How many sleeps are under way: a test waits for them before it moves the clock. */
  get sleeping(): number {
    return this.#sleepers.length;
  }

  /** Sets the wall clock forward or back, as a person or NTP does; no time passes. */
  step(ms: number): void {
    this.#offsetMs += ms;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return Promise.reject(cancelled(signal.reason));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const sleeper: Sleeper = { dueMs: this.#elapsedMs + Math.max(ms, 0), wake: resolve };
    const onAbort = (): void => {
      this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
      reject(cancelled(signal?.reason));
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#sleepers.push(sleeper);
    return promise.finally(() => signal?.removeEventListener('abort', onAbort));
  }

  /** Lets time pass, waking sleepers in the order in which they are due, each at its own moment. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#elapsedMs + ms;
    for (;;) {
      await settle();
      const next = this.#sleepers.reduce<Sleeper | undefined>(
        (first, sleeper) => (first === undefined || sleeper.dueMs < first.dueMs ? sleeper : first),
        undefined,
      );
      if (next === undefined || next.dueMs > endMs) break;
      this.#elapsedMs = Math.max(this.#elapsedMs, next.dueMs);
      this.#sleepers = this.#sleepers.filter((other) => other !== next);
      next.wake();
    }
    this.#elapsedMs = endMs;
    await settle();
  }
}

/** Lets everything run that waits for nothing but its turn. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}
