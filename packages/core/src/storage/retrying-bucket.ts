import type { Clock } from '../base/clock.ts';
import { isEtcdOpsError } from '../base/errors.ts';
import { retry } from '../base/retry.ts';
import type { DeleteFailure, RemoteBucket, RequestOptions } from './remote-bucket.ts';
import { StoreBusyError, storeFailure } from './store-failures.ts';

export type RequestName =
  | 'put'
  | 'read'
  | 'stat'
  | 'list'
  | 'delete'
  | 'startUpload'
  | 'uploadPart'
  | 'completeUpload'
  | 'abortUpload'
  | 'listUploads'
  | 'bucketFacts';

export interface RetryPolicy {
  /** No attempt begins later than this after the first. */
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
  async function run<Result>(
    name: RequestName,
    { signal }: RequestOptions,
    attempt: (options: RequestOptions, attemptNumber: number) => Promise<Result>,
  ): Promise<Result> {
    return await retry(async (_, attemptNumber) => await attempt({ signal }, attemptNumber), {
      ...policy,
      signal,
      askedDelayMs: (error) => (error instanceof StoreBusyError ? error.retryAfterMs : undefined),
      onRetry: ({ error }) => policy.onRetry?.(name, isEtcdOpsError(error) ? error.code : 'unknown'),
    });
  }

  return {
    description: inner.description,
    limits: inner.limits,
    conditionalPut: inner.conditionalPut,
    async put(key, body, options) {
      const { ifAbsent = false } = options;
      return await run('put', options, async ({ signal }, attemptNumber) => {
        const outcome = await inner.put(key, body, { signal, ifAbsent });
        // An earlier attempt may have arrived though its answer was lost: then the object that exists is our own.
        if (outcome !== 'exists' || attemptNumber === 1) return outcome;
        return (await holds(inner, key, body, signal)) ? 'created' : 'exists';
      });
    },
    read: async (key, range, options) =>
      await run('read', options, async (request) => await inner.read(key, range, { ...options, ...request })),
    stat: async (key, options) => await run('stat', options, async (request) => await inner.stat(key, request)),
    listPage: async (prefix, options) =>
      await run('list', options, async (request) => await inner.listPage(prefix, { ...options, ...request })),
    async deleteBatch(keys, options) {
      let left = [...keys];
      const denied: DeleteFailure[] = [];
      await run('delete', options, async (request) => {
        const failures = await inner.deleteBatch(left, request);
        denied.push(...failures.filter((failure) => failure.denied));
        const again = failures.filter((failure) => !failure.denied);
        left = again.map(({ key }) => key);
        const [first] = again;
        if (first === undefined) return;
        throw storeFailure({
          action: `Deleting ${first.key}`,
          store: inner.description,
          status: 503,
          reason: first.reason,
          detail: `${left.length} objects could not be deleted`,
        });
      });
      return denied;
    },
    startUpload: async (key, options) =>
      await run('startUpload', options, async (request) => await inner.startUpload(key, request)),
    uploadPart: async (part, options) =>
      await run('uploadPart', options, async (request) => await inner.uploadPart(part, request)),
    completeUpload: async (upload, options) =>
      await run('completeUpload', options, async (request) => await inner.completeUpload(upload, request)),
    abortUpload: async (upload, options) =>
      await run('abortUpload', options, async (request) => await inner.abortUpload(upload, request)),
    listUploads: async (prefix, options) =>
      await run('listUploads', options, async (request) => await inner.listUploads(prefix, { ...options, ...request })),
    ...(inner.objectLock === undefined
      ? {}
      : {
          objectLock: async (key: string, options: RequestOptions) =>
            await run('stat', options, async (request) => await inner.objectLock?.(key, request)),
        }),
    ...(inner.bucketFacts === undefined ? {} : { bucketFacts: inner.bucketFacts.bind(inner) }),
    close: () => inner.close(),
  };
}

async function holds(
  bucket: RemoteBucket,
  key: string,
  body: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const read = await bucket.read(key, { from: 0, to: body.length + 1 }, { signal });
  if (read.end - read.start !== body.length) {
    read.discard();
    return false;
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of read.body) chunks.push(chunk);
  return Buffer.concat(chunks).equals(body);
}
