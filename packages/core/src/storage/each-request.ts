import type { RemoteBucket, RequestOptions } from './remote-bucket.ts';

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
  | 'listParts'
  | 'bucketFacts';

/** What a decorator does around one request. `bytes`: of content that goes up. */
export type AroundRequest = <Result>(
  request: { name: RequestName; bytes: number; signal: AbortSignal | undefined },
  send: () => Promise<Result>,
) => Promise<Result>;

/** The same bucket with something around each of its requests. */
export function aroundEachRequest(inner: RemoteBucket, around: AroundRequest): RemoteBucket {
  const run = <Result>(
    name: RequestName,
    { signal }: RequestOptions,
    send: () => Promise<Result>,
    bytes = 0,
  ): Promise<Result> => around({ name, bytes, signal }, send);

  return {
    get description() {
      return inner.description;
    },
    limits: inner.limits,
    conditionalPut: inner.conditionalPut,
    put: (key, body, options) => run('put', options, () => inner.put(key, body, options), body.length),
    read: (key, range, options) => run('read', options, () => inner.read(key, range, options)),
    stat: (key, options) => run('stat', options, () => inner.stat(key, options)),
    listPage: (prefix, options) => run('list', options, () => inner.listPage(prefix, options)),
    deleteBatch: (keys, options) => run('delete', options, () => inner.deleteBatch(keys, options)),
    startUpload: (key, options) => run('startUpload', options, () => inner.startUpload(key, options)),
    uploadPart: (part, options) => run('uploadPart', options, () => inner.uploadPart(part, options), part.body.length),
    completeUpload: (upload, options) => run('completeUpload', options, () => inner.completeUpload(upload, options)),
    abortUpload: (upload, options) => run('abortUpload', options, () => inner.abortUpload(upload, options)),
    listUploads: (prefix, options) => run('listUploads', options, () => inner.listUploads(prefix, options)),
    listPartTimes: (upload, options) => run('listParts', options, () => inner.listPartTimes(upload, options)),
    ...(inner.objectLock === undefined
      ? {}
      : {
          objectLock: (key: string, options: RequestOptions) =>
            run('stat', options, async () => await inner.objectLock?.(key, options)),
        }),
    ...(inner.bucketFacts === undefined
      ? {}
      : {
          bucketFacts: (options: RequestOptions) =>
            run('bucketFacts', options, async () => (await inner.bucketFacts?.(options)) ?? { unreadable: [] }),
        }),
    close: () => inner.close(),
  };
}
