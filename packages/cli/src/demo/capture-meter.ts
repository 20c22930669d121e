import { decodeHeaders, eventsSubject, type Bus } from '@etcd-ops/bus';
import type { Subscription } from 'nats';

const CAPTURE_TIMEOUT_MS = 20_000;

/**
 * Watches the event stream as it is published: how far the cluster is captured, and how long after etcd's answer to
 * a write that was. Only an observer: nothing depends on it.
 */
export class CaptureMeter {
  readonly #subscription: Subscription;
  readonly #waiting: { revision: number; writtenAtMs: number; resolve: () => void }[] = [];
  readonly #lagsMs: number[] = [];
  readonly timelines = new Set<number>();
  capturedRevision = 0;

  constructor(bus: Bus, cluster: string) {
    this.#subscription = bus.nc.subscribe(eventsSubject(cluster), {
      callback: (_, message) => {
        const headers = decodeHeaders(message.headers);
        this.timelines.add(headers.timeline);
        if (headers.part === headers.parts) this.#reached(headers.last);
      },
    });
  }

  /** Called right after etcd answered a write: measures how long until that revision is on the stream. */
  sample(revision: number): void {
    if (revision > this.capturedRevision) {
      this.#waiting.push({ revision, writtenAtMs: performance.now(), resolve: () => {} });
    }
  }

  /** Resolves when `revision` is captured. */
  async reached(revision: number): Promise<void> {
    if (this.capturedRevision >= revision) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      reject(
        new Error(
          `Revision ${revision} was not captured within ${CAPTURE_TIMEOUT_MS} ms; captured: ${this.capturedRevision}`,
        ),
      );
    }, CAPTURE_TIMEOUT_MS);
    this.#waiting.push({ revision, writtenAtMs: Number.NaN, resolve });
    await promise.finally(() => clearTimeout(timer));
  }

  lag(): { medianMs: number; maxMs: number; samples: number } {
    const sorted = this.#lagsMs.toSorted((left, right) => left - right);
    return { medianMs: sorted[Math.floor(sorted.length / 2)] ?? 0, maxMs: sorted.at(-1) ?? 0, samples: sorted.length };
  }

  stop(): void {
    this.#subscription.unsubscribe();
  }

  #reached(revision: number): void {
    this.capturedRevision = revision;
    const now = performance.now();
    for (let index = this.#waiting.length - 1; index >= 0; index--) {
      const waiting = this.#waiting[index]!;
      if (waiting.revision > revision) continue;
      this.#waiting.splice(index, 1);
      if (!Number.isNaN(waiting.writtenAtMs)) this.#lagsMs.push(now - waiting.writtenAtMs);
      waiting.resolve();
    }
  }
}
