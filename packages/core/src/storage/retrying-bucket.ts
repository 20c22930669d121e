import type { Clock } from '../base/clock.ts';
import { isEtcdOpsError } from '../base/errors.ts';
import { retry } from '../base/retry.ts';
import { aroundEachRequest, type RequestName } from './each-request.ts';
import type { DeleteFailure, RemoteBucket } from './remote-bucket.ts';
import { readRange } from './remote-read.ts';
import { StoreBusyError, storeFailure } from './store-failures.ts';

export interface RetryPolicy {
  /** No attempt begins later than this after the first one failed. */
  deadlineMs: number;
  delayMs?: number;
  delayMsMax?: number;
  clock: Clock;
  random: () => number;
  onRetry?: ((request: RequestName, code: string) => void) | undefined;
}

/**
 * Tries each request again while the store says that it may succeed later: with growing waits and jitter, not before the time that
 * the store asked for, until the deadline. The only place where requests are repeated (the SDK's own repetitions are off).
 */
export function retryingBucket(inner: RemoteBucket, policy: RetryPolicy): RemoteBucket {
  const again = async <Result>(
    { name, signal }: { name: RequestName; signal: AbortSignal | undefined },
    attempt: (attemptNumber: number) => Promise<Result>,
  ): Promise<Result> =>
    await retry(async (_, attemptNumber) => await attempt(attemptNumber), {
      ...policy,
      signal,
      askedDelayMs: (error) => (error instanceof StoreBusyError ? error.retryAfterMs : undefined),
      onRetry: ({ error }) => policy.onRetry?.(name, isEtcdOpsError(error) ? error.code : 'unknown'),
    });

  const bucket = aroundEachRequest(inner, async (request, send) => await again(request, async () => await send()));
  bucket.put = async (key, body, options) =>
    await again({ name: 'put', signal: options.signal }, async (attemptNumber) => {
      const outcome = await inner.put(key, body, options);
      // An earlier attempt may have arrived though its answer was lost: then the object that exists is our own.
      if (outcome !== 'exists' || attemptNumber === 1) return outcome;
      return (await holds(inner, key, { body, signal: options.signal })) ? 'created' : 'exists';
    });
  bucket.deleteBatch = async (keys, options) => {
    let left = keys;
    const denied: DeleteFailure[] = [];
    await again({ name: 'delete', signal: options.signal }, async () => {
      const failures = await inner.deleteBatch(left, options);
      denied.push(...failures.filter((failure) => failure.denied));
      const others = failures.filter((failure) => !failure.denied);
      left = others.map(({ key }) => key);
      if (others.length > 0) throw notYetDeleted(inner, others);
    });
    return denied;
  };
  return bucket;
}

function notYetDeleted(bucket: RemoteBucket, failures: readonly DeleteFailure[]): Error {
  const { key, reason } = failures[0]!;
  return storeFailure({
    action: `Deleting ${key}`,
    store: bucket.description,
    status: 503,
    reason,
    detail: `${failures.length} objects could not be deleted`,
  });
}

async function holds(
  bucket: RemoteBucket,
  key: string,
  { body, signal }: { body: Uint8Array; signal: AbortSignal | undefined },
): Promise<boolean> {
  const cancel = signal === undefined ? {} : { signal };
  const chunks: Uint8Array[] = [];
  // One byte more: an object that is longer is another one.
  for await (const chunk of readRange(bucket, key, { ...cancel, offset: 0, length: body.length + 1 })) {
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).equals(body);
}
