import { digestFits, RevisionDigest, TOMBSTONE_KEY_BYTES, writeRevisionKey } from '@etcd-ops/core';
import type { EtcdMember } from '@etcd-ops/etcd-client';

/** A revision that was captured, and the rows that it had. */
export interface HistoryPoint {
  revision: number;
  /** RevisionDigest of its rows, plain or sealed; null when unknown. */
  digest: string | null;
}

/**
 * - `same`: the member holds the recorded rows of the point
 * - `other`: it holds others, or does not know the revision yet: it was restored behind our back, or lags
 * - `unknown`: nothing was recorded, the revision is compacted, or no answer came in time
 */
export type HistoryOutcome = 'same' | 'other' | 'unknown';

/**
 * Whether a member goes on with the history that was captured. A restore with the same token keeps the cluster id, so nothing but
 * its rows can tell; they come by a watch that begins at the point, as the watcher's overlap check has them.
 */
export async function compareHistory(
  member: EtcdMember,
  { revision, digest: recorded }: HistoryPoint,
  { signal, timeoutMs }: { signal: AbortSignal; timeoutMs: number },
): Promise<HistoryOutcome> {
  if (recorded === null || revision < 2) return 'unknown';
  const settled = Promise.withResolvers<HistoryOutcome>();
  const digest = new RevisionDigest();
  const key = Buffer.alloc(TOMBSTONE_KEY_BYTES);
  let isWhole = false;
  const watch = member.watch({
    startRevision: revision,
    signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    sink: {
      created: (headerRevision) => {
        if (headerRevision < revision) settled.resolve('other');
      },
      row: (main, tombstone, value) => {
        isWhole ||= main > revision;
        if (isWhole || main < revision) return;
        const keyBytes = writeRevisionKey(key, 0, main, digest.rowCount, tombstone);
        digest.update(key.subarray(0, keyBytes), value.view());
      },
      batch: (complete) => {
        isWhole ||= complete && digest.rowCount > 0;
        if (isWhole) watch.cancel();
      },
      progress: () => undefined,
    },
  });
  void watch.closed.then(() => {
    // Where a later revision came first, a compaction may have left nothing of this one.
    if (!isWhole || digest.rowCount === 0) settled.resolve('unknown');
    else settled.resolve(digestFits(recorded, digest.hex()) ? 'same' : 'other');
  });
  try {
    return await settled.promise;
  } finally {
    watch.cancel();
  }
}
