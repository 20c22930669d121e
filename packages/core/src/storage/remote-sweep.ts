import { isEtcdOpsError } from '../base/errors.ts';
import type { SweepOptions } from './object-store.ts';
import type { RemoteBucket, UnfinishedUpload } from './remote-bucket.ts';

/** An upload that began so many times longer ago than what is taken for abandoned is dead, whatever can be learned of its parts. */
const AGES_MAX = 7;

/**
 * Drops unfinished uploads below a prefix that got no part for `olderThanMs`: a large object over a slow line takes days, and lives while parts
 * arrive. Where a store does not tell of parts, uploads go by their age alone, at seven times the limit.
 * @returns how many went.
 * @throws EtcdOpsError of the store.
 */
export async function sweepUploads(
  bucket: RemoteBucket,
  prefix: string,
  { olderThanMs, nowMs, signal }: SweepOptions,
): Promise<number> {
  let swept = 0;
  let next: string | undefined;
  do {
    const page = await bucket.listUploads(prefix, { signal, next });
    for (const upload of page.uploads) {
      const ageMs = nowMs - upload.startedAtMs;
      if (ageMs <= olderThanMs) continue;
      if (ageMs < AGES_MAX * olderThanMs && (await mayLive(bucket, upload, nowMs - olderThanMs, signal))) continue;
      await bucket.abortUpload({ key: upload.key, uploadId: upload.uploadId }, { signal });
      swept++;
    }
    next = page.next;
  } while (next !== undefined);
  return swept;
}

/** Whether a part arrived since then, or nobody can say. */
async function mayLive(
  bucket: RemoteBucket,
  { key, uploadId }: UnfinishedUpload,
  sinceMs: number,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  try {
    let next: string | undefined;
    do {
      const page = await bucket.listPartTimes({ key, uploadId }, { signal, next });
      if (page.partsMs.some((partMs) => partMs >= sinceMs)) return true;
      next = page.next;
    } while (next !== undefined);
    return false;
  } catch (error) {
    // Not found: it was completed or dropped meanwhile.
    const codes = ['STORE_NOT_FOUND', 'STORE_DENIED', 'STORE_REFUSED'] as const;
    if (codes.some((code) => isEtcdOpsError(error, code))) return true;
    throw error;
  }
}
