/** Emptied places in front are given back in pieces: a shift of a large array would move all of it. */
const SPARE_MAX = 1_024;

/** First in, first out, up to a limit. */
export class LeaseQueue {
  readonly #max: number;
  #ids: bigint[] = [];
  #head = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#ids.length - this.#head;
  }

  /** False when it is full. */
  push(id: bigint): boolean {
    if (this.size >= this.#max) return false;
    this.#ids.push(id);
    return true;
  }

  shift(): bigint | undefined {
    if (this.#head === this.#ids.length) return undefined;
    const id = this.#ids[this.#head++];
    if (this.#head > SPARE_MAX && this.#head * 2 > this.#ids.length) {
      this.#ids = this.#ids.slice(this.#head);
      this.#head = 0;
    }
    return id;
  }

  /** Empties it. */
  takeAll(): bigint[] {
    const ids = this.#ids.slice(this.#head);
    this.#ids = [];
    this.#head = 0;
    return ids;
  }
}
