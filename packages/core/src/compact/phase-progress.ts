import { Yielder } from '../base/yielding.ts';

export interface PhaseProgressOptions {
  signal?: AbortSignal | undefined;
  onBytes?: ((bytesDone: number) => void) | undefined;
  /** Awaited at each turn. */
  settle?: (() => Promise<void>) | undefined;
}

/** Work between two turns, and so about what waits to be written. */
const BYTES_BETWEEN = 2 * 1024 * 1024;

/** Counts the work of a phase in bytes: reports it, and gives the event loop its turns. */
export class PhaseProgress {
  readonly signal: AbortSignal | undefined;
  readonly #onBytes: ((bytesDone: number) => void) | undefined;
  readonly #settle: (() => Promise<void>) | undefined;
  readonly #yielder: Yielder;
  #done = 0;

  constructor(options: PhaseProgressOptions) {
    this.signal = options.signal;
    this.#onBytes = options.onBytes;
    this.#settle = options.settle;
    this.#yielder = new Yielder({ signal: options.signal, bytesBetween: BYTES_BETWEEN });
    this.#yielder.throwIfCancelled();
    this.#onBytes?.(0);
  }

  /** Counts work; true when it is time to await `turn`. */
  due(bytes: number): boolean {
    this.#done += bytes;
    return this.#yielder.due(bytes);
  }

  async turn(): Promise<void> {
    this.#onBytes?.(this.#done);
    await this.#settle?.();
    await this.#yielder.turn();
  }
}
