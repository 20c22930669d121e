import { setImmediate as nextTurn } from 'node:timers/promises';
import { EtcdOpsError } from './errors.ts';

const BYTES_BETWEEN_DEFAULT = 8 * 1024 * 1024;

export interface YielderOptions {
  /** How many bytes of work are done between two turns of the event loop; 8 MiB unless told. */
  bytesBetween?: number;
  signal?: AbortSignal | undefined;
}

/** Keeps long CPU work polite: lets the event loop have a turn every few MiB, and ends the work when it is cancelled. */
export class Yielder {
  readonly #bytesBetween: number;
  readonly #signal: AbortSignal | undefined;
  #pending = 0;

  constructor(options: YielderOptions = {}) {
    this.#bytesBetween = options.bytesBetween ?? BYTES_BETWEEN_DEFAULT;
    this.#signal = options.signal;
  }

  /** Counts work; true when it is time to await `turn`. For hot loops, where an await per step would cost more than the step. */
  due(bytes: number): boolean {
    this.#pending += bytes;
    return this.#pending >= this.#bytesBetween;
  }

  /** @throws EtcdOpsError CANCELLED when the signal is aborted. */
  async turn(): Promise<void> {
    this.#pending = 0;
    this.throwIfCancelled();
    await nextTurn();
    this.throwIfCancelled();
  }

  /** Counts work and takes a turn when one is due. */
  async tick(bytes: number): Promise<void> {
    if (this.due(bytes)) await this.turn();
  }

  throwIfCancelled(): void {
    if (!this.#signal?.aborted) return;
    throw new EtcdOpsError('CANCELLED', { message: 'The operation was cancelled', cause: this.#signal.reason });
  }
}
