import { EtcdOpsError, isEtcdOpsError } from '../base/errors.ts';
import { throwIfAborted } from './local-errors.ts';
import type { ReadOptions } from './object-store.ts';
import type { RemoteBucket, RemoteRange, RemoteRead } from './remote-bucket.ts';
import { storeFailure } from './store-failures.ts';

/** Connections that end before they brought a byte, one after the other. */
const FRUITLESS_MAX = 5;

/**
 * Reads a range. A connection that breaks is taken up again where it broke, from the same version of the object only.
 * @throws EtcdOpsError LIMIT_EXCEEDED, before the first byte, when the range is larger than `bytesMax`.
 */
export async function* readRange(
  bucket: RemoteBucket,
  key: string,
  options: ReadOptions & { bytesMax?: number },
): AsyncGenerator<Buffer> {
  const { signal } = options;
  const wanted = await rangeOf(bucket, key, options);
  let read = await bucket.read(key, wanted, { signal });
  const { etag } = read.object;
  const { end } = read;
  let position = read.start;
  assertRange(bucket, key, wanted, read);
  refuseLarge(key, read, options.bytesMax);
  for (let fruitless = 0; ;) {
    const from = position;
    let failure: unknown;
    try {
      for await (const chunk of read.body) {
        const useful = chunk.subarray(0, end - position);
        if (useful.length === 0) continue;
        position += useful.length;
        yield Buffer.from(useful.buffer, useful.byteOffset, useful.length);
        throwIfAborted(signal, 'Reading', key);
      }
    } catch (error) {
      // What the consumer throws does not come by here: it ends the generator.
      failure = error;
      // Damage that the adapter found out is not healed by reading on behind it.
      if (isEtcdOpsError(error) && !error.retriable) throw error;
    } finally {
      read.discard();
    }
    if (position >= end) return;
    throwIfAborted(signal, 'Reading', key);
    fruitless = position > from ? 0 : fruitless + 1;
    if (fruitless >= FRUITLESS_MAX) throw brokenOff(bucket, key, { position, end, failure });
    const rest = { from: position, to: end };
    read = await bucket.read(key, rest, { signal, etag });
    assertRange(bucket, key, rest, read);
  }
}

/** A range that ends before the end but is counted from it has no form in HTTP: the size is asked for first. */
async function rangeOf(
  bucket: RemoteBucket,
  key: string,
  { offset = 0, length, signal }: ReadOptions,
): Promise<RemoteRange> {
  if (offset >= 0) return length === undefined ? { from: offset } : { from: offset, to: offset + length };
  if (length === undefined) return { last: -offset };
  const bytes = (await bucket.stat(key, { signal }))?.bytes ?? 0;
  const from = Math.max(0, bytes + offset);
  return { from, to: from + length };
}

/** A server or a cache that sends the whole object instead of a range would be taken at its word otherwise. */
function assertRange(bucket: RemoteBucket, key: string, wanted: RemoteRange, read: RemoteRead): void {
  const { bytes } = read.object;
  const from = 'last' in wanted ? Math.max(0, bytes - wanted.last) : Math.min(wanted.from, bytes);
  const to = 'last' in wanted ? bytes : Math.min(wanted.to ?? bytes, bytes);
  if (read.start === from && read.end === to) return;
  // Nothing was asked for that lies in the object.
  if (read.start === read.end && to <= from) return;
  read.discard();
  throw new EtcdOpsError('STORE_REFUSED', {
    message: `Reading ${key} failed at ${bucket.description}: bytes ${read.start} to ${read.end} came instead of ${from} to ${to}`,
    remedy: 'The store, or a proxy before it, must answer requests for ranges.',
  });
}

function refuseLarge(key: string, read: RemoteRead, bytesMax: number | undefined): void {
  const bytes = read.end - read.start;
  if (bytesMax === undefined || bytes <= bytesMax) return;
  read.discard();
  throw new EtcdOpsError('LIMIT_EXCEEDED', {
    message: `${key}: ${bytes} bytes are more than the ${bytesMax} that may be read at once`,
  });
}

function brokenOff(
  bucket: RemoteBucket,
  key: string,
  { position, end, failure }: { position: number; end: number; failure: unknown },
): EtcdOpsError {
  if (isEtcdOpsError(failure)) return failure;
  const detail = failure instanceof Error ? failure.message : 'the answer ended early';
  return storeFailure({
    action: `Reading ${key}`,
    store: bucket.description,
    reason: 'incomplete answer',
    detail: `${detail}; byte ${position} of ${end} and the following did not come`,
  });
}
