import { EtcdOpsError } from '../base/errors.ts';
import { isKey } from './key-rules.ts';
import { listingCuts } from './listing-cuts.ts';
import type { ObjectInfo } from './object-store.ts';
import type { RemoteBucket } from './remote-bucket.ts';

/** Stretches of one list that are under way at once. */
const STRETCHES_MAX = 8;
/** Pages that wait for whoever reads, of what is read now and of all that comes behind: what bounds memory. */
const PAGES_AHEAD_MAX = 4;
const PAGES_UNREAD_MAX = 64;
/** A list that ends with its second page is not cut: a guess would cost as many requests as it saves. */
const PAGES_BEFORE_CUTS = 2;

type Page = Awaited<ReturnType<RemoteBucket['listPage']>>;

/** Keys above `after` and up to `until`, listed page by page. */
interface Stretch {
  after: string | undefined;
  until: string | undefined;
  /** Pages that nobody has read yet. */
  pages: ObjectInfo[][];
  done: boolean;
}

/**
 * All objects below a prefix, in order. A page takes as long as the way to the store and back, and a large repository has hundreds: what lies
 * behind the first pages is cut into stretches that are listed at the same time. Names that are no keys are left out: somebody else's objects.
 * @throws EtcdOpsError STORE_REFUSED when the server does not list in byte order, on which plans rest.
 */
export async function* listKeys(
  bucket: RemoteBucket,
  prefix: string,
  options: { after: string | undefined; signal: AbortSignal | undefined },
): AsyncGenerator<ObjectInfo> {
  const listing = new Listing(bucket, prefix, options.signal);
  try {
    for await (const page of listing.pages(options.after)) yield* page;
  } finally {
    listing.leave();
  }
}

class Listing {
  readonly #bucket: RemoteBucket;
  readonly #prefix: string;
  readonly #left = new AbortController();
  readonly #signal: AbortSignal;
  /** In the order of their keys; the first is the one that is read. */
  readonly #stretches: Stretch[] = [];
  #pagesSeen = 0;
  #failure: { error: unknown } | undefined;
  #changed = Promise.withResolvers<void>();

  constructor(bucket: RemoteBucket, prefix: string, signal: AbortSignal | undefined) {
    this.#bucket = bucket;
    this.#prefix = prefix;
    this.#signal = signal === undefined ? this.#left.signal : AbortSignal.any([signal, this.#left.signal]);
  }

  async *pages(after: string | undefined): AsyncGenerator<ObjectInfo[]> {
    this.#begin({ after, until: undefined, pages: [], done: false }, 0);
    for (let first = this.#stretches[0]; first !== undefined; first = this.#stretches[0]) {
      if (this.#failure !== undefined) throw this.#failure.error;
      const page = first.pages.shift();
      if (page !== undefined) {
        this.#wake();
        yield page;
      } else if (first.done) {
        this.#stretches.shift();
        this.#wake();
      } else await this.#changed.promise;
    }
  }

  /** Nobody reads any more: what is under way ends, and nothing new begins. */
  leave(): void {
    this.#left.abort();
    this.#wake();
  }

  /** Whoever waits looks again. */
  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  #begin(stretch: Stretch, index: number): void {
    this.#stretches.splice(index, 0, stretch);
    void this.#list(stretch).catch((error: unknown) => {
      this.#failure ??= { error };
      this.#wake();
    });
  }

  async #list(stretch: Stretch): Promise<void> {
    let next: string | undefined;
    let last = '';
    let page: Page = { objects: [] };
    while (!stretch.done) {
      while (this.#isFull(stretch) && !this.#left.signal.aborted) await this.#changed.promise;
      if (this.#left.signal.aborted) return;
      // Whoever was read meanwhile has made place for others.
      this.#cut(stretch, page);
      page = await this.#bucket.listPage(this.#prefix, { signal: this.#signal, next, after: stretch.after });
      this.#pagesSeen++;
      for (const { key } of page.objects) {
        if (key <= last) throw outOfOrder(this.#bucket, key, last);
        last = key;
      }
      next = page.next;
      const wanted = page.objects.filter(({ key }) => isWithin(stretch, key) && isKey(key));
      if (wanted.length > 0) stretch.pages.push(wanted);
      stretch.done = next === undefined || (stretch.until !== undefined && last > stretch.until);
      this.#wake();
    }
  }

  #isFull(stretch: Stretch): boolean {
    if (stretch === this.#stretches[0]) return stretch.pages.length >= PAGES_AHEAD_MAX;
    return this.#stretches.reduce((unread, { pages }) => unread + pages.length, 0) >= PAGES_UNREAD_MAX;
  }

  /** Lets others list what lies behind a page, as far as not enough of them are at work. */
  #cut(stretch: Stretch, { objects }: Page): void {
    const pieces = STRETCHES_MAX - this.#stretches.filter(({ done }) => !done).length + 1;
    const [middle, last] = [objects[objects.length >>> 1], objects.at(-1)];
    if (this.#pagesSeen < PAGES_BEFORE_CUTS || middle === undefined || last === undefined) return;
    // A server that passes over `after` gives what lies before it: cutting would only list the same again.
    if (stretch.after !== undefined && last.key <= stretch.after) return;
    if (stretch.until !== undefined && last.key >= stretch.until) return;
    // A page that begins in another folder says nothing of this one; its second half more often does.
    const cuts = listingCuts({ first: middle.key, last: last.key }, { until: stretch.until, pieces });
    const index = this.#stretches.indexOf(stretch);
    const ends = [...cuts.slice(1), stretch.until];
    for (const [place, after] of cuts.entries()) {
      this.#begin({ after, until: ends[place], pages: [], done: false }, index + 1 + place);
    }
    stretch.until = cuts[0] ?? stretch.until;
  }
}

function isWithin({ after, until }: Stretch, key: string): boolean {
  return (after === undefined || key > after) && (until === undefined || key <= until);
}

function outOfOrder(bucket: RemoteBucket, key: string, last: string): EtcdOpsError {
  return new EtcdOpsError('STORE_REFUSED', {
    message: `${bucket.description} lists ${JSON.stringify(key)} after ${JSON.stringify(last)}, not in the order of bytes`,
    remedy: 'Use a bucket that lists in order (a general purpose bucket, no directory bucket).',
  });
}
