import { describeError, EtcdOpsError, isEtcdOpsError } from '../base/errors.ts';
import { manifestKey, parseObjectKey } from '../repository/object-key.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type { RetentionDecision } from './plan-retention.ts';

/** A store that says no so often in a row will say it to all others, too. */
const REFUSED_IN_A_ROW_MAX = 5;

export interface RemoveObjectsOptions {
  signal?: AbortSignal | undefined;
  /** Called when all objects of a decision are gone. */
  onRemoved?: ((decision: RetentionDecision) => void) | undefined;
}

export interface RefusedRemoval {
  decision: RetentionDecision;
  key: string;
  problem: string;
}

export interface RemovedObjects {
  removed: RetentionDecision[];
  refused: RefusedRemoval[];
  /** Not tried any more, since the store refused one after the other. */
  untried: RetentionDecision[];
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
 * An object that the store refuses to delete is reported, and the others are tried.
 * @throws EtcdOpsError CANCELLED; what was deleted until then stays deleted.
 */
export async function removeObjects(
  store: ObjectStore,
  decisions: readonly RetentionDecision[],
  options: RemoveObjectsOptions = {},
): Promise<RemovedObjects> {
  const result: RemovedObjects = { removed: [], refused: [], untried: [] };
  let refusedInARow = 0;
  for (const decision of decisions) {
    if (options.signal?.aborted === true) {
      throw new EtcdOpsError('CANCELLED', { message: 'Deleting by retention was cancelled' });
    }
    if (refusedInARow >= REFUSED_IN_A_ROW_MAX) {
      result.untried.push(decision);
      continue;
    }
    if (decision.kind === 'orphan' && (await hasOtherHalf(store, decision.keys[0]!))) continue;
    const refused = await removeOne(store, decision);
    if (refused === undefined) {
      refusedInARow = 0;
      result.removed.push(decision);
      options.onRemoved?.(decision);
    } else {
      refusedInARow++;
      result.refused.push(refused);
    }
  }
  return result;
}

async function removeOne(store: ObjectStore, decision: RetentionDecision): Promise<RefusedRemoval | undefined> {
  for (const key of decision.keys) {
    try {
      await store.delete([key]);
    } catch (error) {
      if (!isEtcdOpsError(error) || error.code === 'CANCELLED') throw error;
      return { decision, key, problem: describeError(error) };
    }
  }
  return undefined;
}

async function hasOtherHalf(store: ObjectStore, key: string): Promise<boolean> {
  const parsed = parseObjectKey(key);
  if (parsed?.kind !== 'full' && parsed?.kind !== 'manifest') return false;
  return (await store.stat(parsed.kind === 'full' ? manifestKey(key) : parsed.fullKey)) !== undefined;
}
