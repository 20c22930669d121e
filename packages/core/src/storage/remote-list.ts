import { EtcdOpsError } from '../base/errors.ts';
import { isKey } from './key-rules.ts';
import type { ObjectInfo } from './object-store.ts';
import type { RemoteBucket } from './remote-bucket.ts';

type Page = Awaited<ReturnType<RemoteBucket['listPage']>>;

/**
 * All objects below a prefix, page by page; while one page is used, the next is under way. Names that are no keys are left out: somebody
 * else's objects.
 * @throws EtcdOpsError STORE_REFUSED when the server does not list in byte order, on which plans rest.
 */
export async function* listKeys(
  bucket: RemoteBucket,
  prefix: string,
  options: { after: string | undefined; signal: AbortSignal | undefined },
): AsyncGenerator<ObjectInfo> {
  const left = new AbortController();
  const signal = options.signal === undefined ? left.signal : AbortSignal.any([options.signal, left.signal]);
  const pageAfter = (next: string | undefined): Promise<Page> => {
    const page = bucket.listPage(prefix, { signal, next, after: options.after });
    // Nobody may be waiting for it yet when it fails.
    page.catch(() => undefined);
    return page;
  };
  let coming: Promise<Page> | undefined = pageAfter(undefined);
  let last = options.after ?? '';
  try {
    while (coming !== undefined) {
      const page: Page = await coming;
      coming = page.next === undefined ? undefined : pageAfter(page.next);
      for (const object of page.objects) {
        if (object.key <= last) throw outOfOrder(bucket, object.key, last);
        last = object.key;
        if (isKey(object.key)) yield object;
      }
    }
  } finally {
    left.abort();
  }
}

function outOfOrder(bucket: RemoteBucket, key: string, last: string): EtcdOpsError {
  return new EtcdOpsError('STORE_REFUSED', {
    message: `${bucket.description} lists ${JSON.stringify(key)} after ${JSON.stringify(last)}, not in the order of bytes`,
    remedy: 'Use a bucket that lists in order (a general purpose bucket, no directory bucket).',
  });
}
