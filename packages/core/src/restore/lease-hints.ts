import { describeError, isEtcdOpsError } from '../base/errors.ts';
import type { LeaseRecord } from '../mvcc/lease-record.ts';
import type { DeltaEntry } from '../repository/inventory.ts';
import { openStoredDelta, type OpenDeltaOptions } from '../repository/delta-source.ts';
import type { ObjectStore } from '../storage/object-store.ts';

/** More than this many deltas are not asked for TTLs: an assumed TTL is better than a restore that waits. */
const HINT_DELTAS_MAX = 200;

/**
 * Looks for TTLs of leases in the lease records of deltas outside of the plan, by ranged reads. What cannot be read is
 * skipped with a warning: the leases then get the assumed TTL.
 */
export async function readLeaseHints(
  store: ObjectStore,
  deltas: readonly DeltaEntry[],
  wanted: ReadonlySet<bigint>,
  options: OpenDeltaOptions = {},
): Promise<{ records: LeaseRecord[]; warnings: string[] }> {
  const missing = new Set(wanted);
  const records: LeaseRecord[] = [];
  const warnings: string[] = [];
  for (const entry of deltas.slice(0, HINT_DELTAS_MAX)) {
    if (missing.size === 0) break;
    try {
      for (const record of await leaseRecordsOf(store, entry, options)) {
        if (!missing.has(record.id) || record.grantedTtlSeconds === 0) continue;
        records.push(record);
        missing.delete(record.id);
      }
    } catch (error) {
      if (options.signal?.aborted === true || !isEtcdOpsError(error)) throw error;
      warnings.push(`${entry.key} was not asked for lease TTLs: ${describeError(error)}`);
    }
  }
  return { records, warnings };
}

async function leaseRecordsOf(
  store: ObjectStore,
  entry: DeltaEntry,
  options: OpenDeltaOptions,
): Promise<LeaseRecord[]> {
  const reader = await openStoredDelta(store, entry, options);
  return await reader.leases();
}
