import type { Clock } from '../base/clock.ts';
import { Bandwidth } from './bandwidth.ts';
import type { RemoteBucket, RequestOptions } from './remote-bucket.ts';
import { Semaphore } from './semaphore.ts';

export interface BucketLoadLimits {
  requestsInFlightMax: number;
  /** Of what is uploaded. */
  bytesPerSecondMax?: number | undefined;
  clock: Clock;
}

/** Keeps the requests of one process within bounds: how many at once, and how many bytes go up per second. */
export function limitedBucket(inner: RemoteBucket, limits: BucketLoadLimits): RemoteBucket {
  const slots = new Semaphore(limits.requestsInFlightMax);
  const bandwidth =
    limits.bytesPerSecondMax === undefined ? undefined : new Bandwidth(limits.bytesPerSecondMax, limits.clock);

  async function run<Result>({ signal }: RequestOptions, request: () => Promise<Result>, bytes = 0): Promise<Result> {
    // The wait for bandwidth comes first: whoever waits must not hold a slot that a small request could use.
    await bandwidth?.take(bytes, signal);
    await slots.acquire(signal);
    try {
      return await request();
    } finally {
      slots.release();
    }
  }

  return {
    description: inner.description,
    limits: inner.limits,
    conditionalPut: inner.conditionalPut,
    put: async (key, body, options) => await run(options, async () => await inner.put(key, body, options), body.length),
    // A slot is given back with the first byte: readers that wait for each other must not block each other.
    read: async (key, range, options) => await run(options, async () => await inner.read(key, range, options)),
    stat: async (key, options) => await run(options, async () => await inner.stat(key, options)),
    listPage: async (prefix, options) => await run(options, async () => await inner.listPage(prefix, options)),
    deleteBatch: async (keys, options) => await run(options, async () => await inner.deleteBatch(keys, options)),
    startUpload: async (key, options) => await run(options, async () => await inner.startUpload(key, options)),
    uploadPart: async (part, options) =>
      await run(options, async () => await inner.uploadPart(part, options), part.body.length),
    completeUpload: async (upload, options) =>
      await run(options, async () => await inner.completeUpload(upload, options)),
    abortUpload: async (upload, options) => await run(options, async () => await inner.abortUpload(upload, options)),
    listUploads: async (prefix, options) => await run(options, async () => await inner.listUploads(prefix, options)),
    ...(inner.objectLock === undefined
      ? {}
      : {
          objectLock: async (key: string, options: RequestOptions) =>
            await run(options, async () => await inner.objectLock?.(key, options)),
        }),
    ...(inner.bucketFacts === undefined ? {} : { bucketFacts: inner.bucketFacts.bind(inner) }),
    close: () => inner.close(),
  };
}
