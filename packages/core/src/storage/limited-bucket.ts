import type { Clock } from '../base/clock.ts';
import { Bandwidth } from './bandwidth.ts';
import { aroundEachRequest } from './each-request.ts';
import type { RemoteBucket } from './remote-bucket.ts';
import { Semaphore } from './semaphore.ts';

export interface BucketLoadLimits {
  requestsInFlightMax: number;
  /** Of what is uploaded. */
  bytesPerSecondMax?: number | undefined;
  clock: Clock;
}

/**
 * Keeps the requests of one process within bounds: how many at once, and how many bytes go up per second. A reader gives its place back
 * with the first byte: readers that wait for each other must not block each other.
 */
export function limitedBucket(inner: RemoteBucket, limits: BucketLoadLimits): RemoteBucket {
  const slots = new Semaphore(limits.requestsInFlightMax);
  const { bytesPerSecondMax, clock } = limits;
  const bandwidth = bytesPerSecondMax === undefined ? undefined : new Bandwidth(bytesPerSecondMax, clock);
  return aroundEachRequest(inner, async ({ bytes, signal }, send) => {
    // The wait for bandwidth comes first: whoever waits must not hold a slot that a small request could use.
    await bandwidth?.take(bytes, signal);
    await slots.acquire(signal);
    try {
      return await send();
    } finally {
      slots.release();
    }
  });
}
