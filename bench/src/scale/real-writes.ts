import { openEtcd3 } from '@etcd-ops/etcd-client';
import type { LocalEtcd } from '@etcd-ops/local-servers';
import { setTimeout as delay } from 'node:timers/promises';

const PERIOD_MS = 1_000;

/** One write a second to each of the real etcds, as the stand-in's clusters get it, until it is disposed. */
export class RealWrites implements AsyncDisposable {
  /** The last revision of each. */
  readonly revisions: number[];
  readonly #stop = new AbortController();
  readonly #running: Promise<unknown>;

  constructor(etcds: readonly LocalEtcd[]) {
    this.revisions = etcds.map(() => 0);
    this.#running = Promise.all(etcds.map(async ({ endpoints }, index) => await this.#write(endpoints, index)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #write(endpoints: string[], index: number): Promise<void> {
    const { signal } = this.#stop;
    const client = await openEtcd3({ endpoints });
    try {
      for (let count = 0; !signal.aborted; count++) {
        const { header } = await client.put('/scale').value(String(count)).exec();
        this.revisions[index] = Number(header.revision);
        await delay(PERIOD_MS, undefined, { signal }).catch(() => undefined);
      }
    } finally {
      client.close();
    }
  }
}
