import { systemClock, type Clock } from './clock.ts';

/** Lets one through in so long, in the order of their coming: for work that can wait, so that it does not come in heaps. */
export class Pace {
  readonly #periodMs: number;
  readonly #clock: Clock;
  readonly #monotonicMs: () => number;
  #nextMs = 0;

  constructor(options: { periodMs: number; clock?: Clock; monotonicMs?: () => number }) {
    this.#periodMs = options.periodMs;
    this.#clock = options.clock ?? systemClock;
    this.#monotonicMs = options.monotonicMs ?? (() => performance.now());
  }

  /** The first comes through at once. @throws EtcdOpsError CANCELLED; a turn that nobody took is lost. */
  async turn(signal?: AbortSignal): Promise<void> {
    const nowMs = this.#monotonicMs();
    const waitMs = Math.max(0, this.#nextMs - nowMs);
    this.#nextMs = nowMs + waitMs + this.#periodMs;
    if (waitMs > 0) await this.#clock.sleep(waitMs, signal);
  }
}
