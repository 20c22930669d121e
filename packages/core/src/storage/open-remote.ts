import { systemClock } from '../base/clock.ts';
import { limitedBucket } from './limited-bucket.ts';
import type { ObjectStore } from './object-store.ts';
import type { OpenStoreOptions } from './open-store.ts';
import type { RemoteBucket } from './remote-bucket.ts';
import { RemoteStore } from './remote-store.ts';
import { retryingBucket } from './retrying-bucket.ts';
import { PART_BYTES_MIN, PARTS_IN_FLIGHT_MAX_DEFAULT, type RemoteStoreSpec } from './store-spec.ts';

const REQUESTS_IN_FLIGHT_MAX_DEFAULT = 32;
/** Whoever waits for a store that is away is told so within this time; daemons try again by themselves. */
const RETRY_DEADLINE_MS_DEFAULT = 30_000;

/** A bucket as an ObjectStore: each request is limited, and what fails waits for its next attempt without holding a place. */
export function remoteStoreOf(
  bucket: RemoteBucket,
  spec: RemoteStoreSpec,
  options: OpenStoreOptions = {},
): ObjectStore {
  const { clock = systemClock, random = Math.random, meter } = options;
  const limited = limitedBucket(bucket, {
    clock,
    requestsInFlightMax: spec.requestsInFlightMax ?? REQUESTS_IN_FLIGHT_MAX_DEFAULT,
    bytesPerSecondMax: spec.bytesPerSecondMax,
  });
  const retrying = retryingBucket(limited, {
    clock,
    random,
    deadlineMs: spec.retryDeadlineMs ?? RETRY_DEADLINE_MS_DEFAULT,
    onRetry: (request) => meter?.retried(request),
  });
  const { prefix = '' } = spec;
  return new RemoteStore(retrying, {
    prefix: prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`,
    partBytes: spec.partBytes ?? PART_BYTES_MIN,
    partsInFlightMax: spec.partsInFlightMax ?? PARTS_IN_FLIGHT_MAX_DEFAULT,
  });
}
