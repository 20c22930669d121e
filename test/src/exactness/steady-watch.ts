import type { EtcdMember, Watch } from '@etcd-ops/etcd-client';
import { eventually, Random, WatchRows } from '@etcd-ops/test-kit';

export interface SteadyWatchOptions {
  fragment?: boolean;
  /** Cuts the stream after about so many responses, at random from this seed. */
  cut?: { seed: number; meanBatches: number };
}

/** A watch from revision 1 that is opened again behind the last complete revision whenever it ends. */
export class SteadyWatch implements AsyncDisposable {
  readonly rows = new WatchRows();
  /** How often it was opened again. */
  reopened = 0;
  /** What ended it for good. */
  failure: unknown;
  readonly #running: Promise<void>;
  #watch: Watch | undefined;
  #stopped = false;

  constructor(member: EtcdMember, options: SteadyWatchOptions = {}) {
    this.#running = this.#run(member, options);
  }

  /** Resolves when everything up to a revision was watched. */
  async reached(revision: number): Promise<void> {
    await eventually(
      () => {
        if (this.failure !== undefined) throw new Error('The watch ended', { cause: this.failure });
        return this.rows.lastComplete >= revision;
      },
      { timeoutMs: 30_000 },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    this.#watch?.cancel();
    await this.#running;
  }

  async #run(member: EtcdMember, { fragment = false, cut }: SteadyWatchOptions): Promise<void> {
    const random = new Random(cut?.seed ?? 0);
    while (!this.#stopped) {
      let left = cut === undefined ? Infinity : random.integer(1, cut.meanBatches * 2);
      this.rows.onBatch = () => {
        if (--left <= 0) this.#watch?.cancel();
      };
      this.#watch = member.watch({ startRevision: this.rows.lastComplete + 1, fragment, sink: this.rows });
      const end = await this.#watch.closed;
      if (this.#stopped) return;
      this.reopened++;
      // Before 3.4.25 and 3.5.8 a member that loads a raft snapshot sends its watches back to where they once began, and cancels them
      // when that is compacted, although they were far beyond.
      if (end.kind === 'canceled' && (end.compactRevision ?? Infinity) > this.rows.lastComplete) {
        this.failure = end;
        return;
      }
      if (end.kind === 'error') await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
