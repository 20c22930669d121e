import { describeError, isEtcdOpsError } from '../base/errors.ts';
import type { LeaseRecord } from '../mvcc/lease-record.ts';
import { readAllLeases } from '../lease-object/stored-leases.ts';
import type { DeltaEntry, LeaseEntry } from '../repository/inventory.ts';
import { openStoredDelta, type OpenDeltaOptions } from '../repository/delta-source.ts';
import type { ObjectStore } from '../storage/object-store.ts';

/** More than this many objects of each kind are not asked for TTLs: an assumed TTL is better than a restore that waits. */
const HINT_OBJECTS_MAX = 200;

/** Objects outside of the plan, nearest to its revision first. */
export interface LeaseHintSources {
  deltas: readonly DeltaEntry[];
  leases: readonly LeaseEntry[];
}

/**
 * Looks for TTLs of leases in lease objects and in the lease records of deltas outside of the plan, these by ranged reads. What cannot
 * be read is skipped with a warning: the leases then get the assumed TTL.
 */
export async function readLeaseHints(
  store: ObjectStore,
  { deltas, leases }: LeaseHintSources,
  wanted: ReadonlySet<bigint>,
  options: OpenDeltaOptions = {},
): Promise<{ records: LeaseRecord[]; warnings: string[] }> {
  const missing = new Set(wanted);
  const records: LeaseRecord[] = [];
  const warnings: string[] = [];
  const take = (found: readonly LeaseRecord[]): void => {
    for (const record of found) {
      if (!missing.has(record.id) || record.grantedTtlSeconds === 0) continue;
      records.push(record);
      missing.delete(record.id);
    }
  };
  const learned = await readLeaseRecords(store, leases.slice(0, HINT_OBJECTS_MAX), options);
  warnings.push(...learned.warnings);
  take(learned.records);
  for (const entry of deltas.slice(0, HINT_OBJECTS_MAX)) {
    if (missing.size === 0) break;
    try {
      take(await leaseRecordsOf(store, entry, options));
    } catch (error) {
      if (options.signal?.aborted === true || !isEtcdOpsError(error)) throw error;
      warnings.push(`${entry.key} was not asked for lease TTLs: ${describeError(error)}`);
    }
  }
  return { records, warnings };
}

/** The records of lease objects, in their order; what cannot be read is left out with a warning. */
export async function readLeaseRecords(
  store: ObjectStore,
  entries: readonly LeaseEntry[],
  options: OpenDeltaOptions = {},
): Promise<{ records: LeaseRecord[]; warnings: string[] }> {
  const warnings: string[] = [];
  const objects = await readAllLeases(store, entries, {
    ...options,
    onError: ({ key }, error) => {
      if (options.signal?.aborted === true || !isEtcdOpsError(error)) throw error;
      warnings.push(`${key} was not asked for lease TTLs: ${describeError(error)}`);
    },
  });
  return { records: objects.flatMap(({ records }) => [...records]), warnings };
}

async function leaseRecordsOf(
  store: ObjectStore,
  entry: DeltaEntry,
  options: OpenDeltaOptions,
): Promise<LeaseRecord[]> {
  const reader = await openStoredDelta(store, entry, options);
  return await reader.leases();
}
