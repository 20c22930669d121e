interface Waiting {
  enter: () => void;
}

/**
 * Lets so many captures be opened at a time, in the order of their coming: of a hundred that begin together, all would be ready as late as
 * the last one. A place is lent for a while only, so that clusters that do not answer hold up nobody.
 */
export class OpeningSlots {
  readonly #lentMsMax: number;
  readonly #waiting = new Set<Waiting>();
  #free: number;

  constructor(options: { slots: number; lentMsMax: number }) {
    this.#free = options.slots;
    this.#lentMsMax = options.lentMsMax;
  }

  /** Resolves when there is a place, or the signal is aborted. Dispose it when the capture is open, or is not going to be. */
  async take(signal: AbortSignal): Promise<Disposable> {
    if (this.#free > 0) this.#free--;
    else if (!(await this.#turn(signal))) return { [Symbol.dispose]: () => {} };
    let isBack = false;
    const giveBack = (): void => {
      clearTimeout(timer);
      if (!isBack) this.#giveBack();
      isBack = true;
    };
    const timer = setTimeout(giveBack, this.#lentMsMax);
    return { [Symbol.dispose]: giveBack };
  }

  #turn(signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const waiting: Waiting = {
        enter: () => {
          signal.removeEventListener('abort', leave);
          resolve(true);
        },
      };
      const leave = (): void => {
        this.#waiting.delete(waiting);
        resolve(false);
      };
      if (signal.aborted) return resolve(false);
      signal.addEventListener('abort', leave, { once: true });
      this.#waiting.add(waiting);
    });
  }

  #giveBack(): void {
    const [next] = this.#waiting;
    if (next === undefined) this.#free++;
    else {
      this.#waiting.delete(next);
      next.enter();
    }
  }
}
