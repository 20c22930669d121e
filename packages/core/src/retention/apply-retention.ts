import { EtcdOpsError } from '../base/errors.ts';
import { manifestKey, parseObjectKey } from '../repository/object-key.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type { RetentionDecision, RetentionPlan } from './plan-retention.ts';

export interface ApplyRetentionOptions {
  signal?: AbortSignal | undefined;
  /** Called when all objects of a decision are gone. */
  onRemoved?: (decision: RetentionDecision) => void;
}

export interface RetentionReport {
  objects: number;
  bytes: number;
}

/**
 * Deletes what a plan removes, one object after the other; whoever goes on after a crash plans anew. The order makes every
 * moment in between a sound repository, smaller than before and never one that promises what it cannot keep:
 *
 * 1. Fulls, oldest first, and of each the manifest before the data. A full exists by its manifest, so with the manifest gone
 *    nobody plans with it, and data that a crash leaves behind is an orphan for the next run. The other way round, a manifest
 *    would vouch for data that is gone. Oldest first, because then what is restorable shrinks from its old end.
 * 2. Deltas, newest first. Mostly nothing reaches them any more. Where a kept full still does (`newest-chain`), its chain
 *    gets shorter from the end and stays contiguous; oldest first would tear a hole and strand the deltas behind it.
 * 3. Orphans. One may have got its other half since the plan was made: that is asked again before it goes.
 *
 * @throws EtcdOpsError STORE_FAILED, CANCELLED; what was deleted until then stays deleted.
 */
export async function applyRetention(
  store: ObjectStore,
  plan: RetentionPlan,
  options: ApplyRetentionOptions = {},
): Promise<RetentionReport> {
  const report: RetentionReport = { objects: 0, bytes: 0 };
  for (const decision of plan.remove) {
    if (options.signal?.aborted === true) {
      throw new EtcdOpsError('CANCELLED', { message: 'Deleting by retention was cancelled' });
    }
    if (decision.kind === 'orphan' && (await hasOtherHalf(store, decision.keys[0]!))) continue;
    for (const key of decision.keys) {
      await store.delete([key]);
      report.objects++;
    }
    report.bytes += decision.bytes;
    options.onRemoved?.(decision);
  }
  return report;
}

async function hasOtherHalf(store: ObjectStore, key: string): Promise<boolean> {
  const parsed = parseObjectKey(key);
  if (parsed?.kind !== 'full' && parsed?.kind !== 'manifest') return false;
  return (await store.stat(parsed.kind === 'full' ? manifestKey(key) : parsed.fullKey)) !== undefined;
}
