import { systemClock } from '../base/clock.ts';
import { limitedBucket } from './limited-bucket.ts';
import type { RemoteBucket } from './remote-bucket.ts';
import { RemoteStore } from './remote-store.ts';
import { retryingBucket } from './retrying-bucket.ts';
import { PART_BYTES_MIN, PARTS_IN_FLIGHT_MAX_DEFAULT, type RemoteStoreSpec } from './store-spec.ts';

const REQUESTS_IN_FLIGHT_MAX_DEFAULT = 32;
/** Whoever waits for a store that is away is told so within this time; daemons try again by themselves. */
const RETRY_DEADLINE_MS_DEFAULT = 30_000;

/** The store of one bucket: requests within bounds, tried again, and put together to what an ObjectStore can do. */
export function remoteStoreOf(bucket: RemoteBucket, spec: RemoteStoreSpec): RemoteStore {
  const limited = limitedBucket(bucket, {
    requestsInFlightMax: spec.requestsInFlightMax ?? REQUESTS_IN_FLIGHT_MAX_DEFAULT,
    bytesPerSecondMax: spec.bytesPerSecondMax,
    clock: systemClock,
  });
  const retrying = retryingBucket(limited, {
    deadlineMs: spec.retryDeadlineMs ?? RETRY_DEADLINE_MS_DEFAULT,
    clock: systemClock,
    random: Math.random,
  });
  const { prefix = '' } = spec;
  return new RemoteStore(retrying, {
    prefix: prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`,
    partBytes: spec.partBytes ?? PART_BYTES_MIN,
    partsInFlightMax: spec.partsInFlightMax ?? PARTS_IN_FLIGHT_MAX_DEFAULT,
  });
}
