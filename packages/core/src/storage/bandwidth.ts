import type { Clock } from '../base/clock.ts';

/**
 * Paces bytes so that their rate stays below a bound over any time longer than what one request takes. Takers are served in the order
 * of their coming; each waits until what was taken before it has had its time.
 */
export class Bandwidth {
  readonly #bytesPerMs: number;
  readonly #clock: Clock;
  /** When all that was taken so far has had its time. */
  #paidUntilMs = 0;

  constructor(bytesPerSecondMax: number, clock: Clock) {
    this.#bytesPerMs = bytesPerSecondMax / 1000;
    this.#clock = clock;
  }

  /** @throws EtcdOpsError CANCELLED */
  async take(bytes: number, signal?: AbortSignal): Promise<void> {
    if (bytes === 0) return;
    const nowMs = this.#clock.now();
    const startMs = Math.max(nowMs, this.#paidUntilMs);
    this.#paidUntilMs = startMs + bytes / this.#bytesPerMs;
    if (startMs > nowMs) await this.#clock.sleep(startMs - nowMs, signal);
  }
}
