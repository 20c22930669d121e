import type { RemoteBucket } from './remote-bucket.ts';

/** A repetition by the layer below may hide a refusal, which then looks like an object of our own: so often must it be missing. */
const TRIALS = 3;

/**
 * Puts that must not replace. A server that does not know the condition accepts the put as if there were none, and two writers would both
 * believe that they created the object. So the condition is tried before it is trusted: the first object that is created is put once
 * more, byte for byte the same, and a server that honours the condition refuses that. Where it does not, all that is left is to look first.
 */
export class ConditionalPuts {
  readonly #bucket: RemoteBucket;
  #known: 'yes' | 'no' | undefined;
  #trial: Promise<unknown> | undefined;

  constructor(bucket: RemoteBucket) {
    this.#bucket = bucket;
    if (!bucket.conditionalPut) this.#known = 'no';
  }

  /** False as soon as the server is known not to honour the condition. */
  get supported(): boolean {
    return this.#known !== 'no';
  }

  async put(key: string, body: Uint8Array, signal: AbortSignal | undefined): Promise<'created' | 'exists'> {
    while (this.#known === undefined && this.#trial !== undefined) await this.#trial;
    if (this.#known === undefined) {
      const trial = this.#try(key, body, signal);
      this.#trial = trial.catch(() => undefined);
      try {
        return await trial;
      } finally {
        this.#trial = undefined;
      }
    }
    if (this.#known === 'no') return await this.#lookFirst(key, body, signal);
    return (await this.#bucket.put(key, body, { signal, ifAbsent: true })) === 'created' ? 'created' : 'exists';
  }

  async #try(key: string, body: Uint8Array, signal: AbortSignal | undefined): Promise<'created' | 'exists'> {
    if ((await this.#bucket.stat(key, { signal })) !== undefined) return 'exists';
    const first = await this.#bucket.put(key, body, { signal, ifAbsent: true });
    if (first === 'exists') this.#known = 'yes';
    if (first !== 'unsupported') {
      // The object is there: what comes of the trial is no failure of the put, and is learned with the next one.
      if (first === 'created') this.#known = await this.#isHonoured(key, body, signal).catch(() => undefined);
      return first;
    }
    this.#known = 'no';
    return await this.#lookFirst(key, body, signal);
  }

  async #isHonoured(key: string, body: Uint8Array, signal: AbortSignal | undefined): Promise<'yes' | 'no'> {
    for (let trial = 0; trial < TRIALS; trial++) {
      if ((await this.#bucket.put(key, body, { signal, ifAbsent: true })) === 'exists') return 'yes';
    }
    return 'no';
  }

  async #lookFirst(key: string, body: Uint8Array, signal: AbortSignal | undefined): Promise<'created' | 'exists'> {
    if ((await this.#bucket.stat(key, { signal })) !== undefined) return 'exists';
    await this.#bucket.put(key, body, { signal });
    return 'created';
  }
}
