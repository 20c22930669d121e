import { Yielder } from '../base/yielding.ts';
import type { BoltFile } from '../bolt/bolt-file.ts';
import { KeyHash, KeyTable } from './key-table.ts';
import type { Revision } from './revision.ts';
import { isTombstoneRow, rowMain } from './row-key.ts';
import { hashUserKey, leaseOfRow } from './row-value.ts';
import { ROW_BUCKET } from './store-info.ts';

const NO_LEASE = 0;

/**
 * The leases of the keys that are alive at `revision`: these a restored store must know. One pass over the rows.
 * Memory: 12 to 40 bytes for each key that ever had a lease.
 */
export async function leasesOfLiveKeys(
  file: BoltFile,
  revision: Revision,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<Set<bigint>> {
  const yielder = new Yielder({ signal: options.signal });
  yielder.throwIfCancelled();
  const leases: bigint[] = [0n];
  const numbers = new Map<bigint, number>([[0n, NO_LEASE]]);
  const leaseNumbers = new KeyTable();
  const hash = new KeyHash();
  scan: for (const leaf of file.bucket(ROW_BUCKET)?.leaves() ?? []) {
    for (let entry = 0; entry < leaf.count; entry++) {
      if (rowMain(leaf, entry) > revision) break scan;
      const lease = isTombstoneRow(leaf, entry) ? 0n : leaseOfRow(leaf, entry);
      // Keys that never had a lease need no place in the table.
      if (lease === 0n && leaseNumbers.size === 0) continue;
      hashUserKey(leaf, entry, hash);
      const slot = leaseNumbers.find(hash);
      if (lease === 0n && slot === -1) continue;
      let number = numbers.get(lease);
      if (number === undefined) {
        number = leases.push(lease) - 1;
        numbers.set(lease, number);
      }
      if (slot === -1) leaseNumbers.insert(hash, number);
      else leaseNumbers.set(slot, number);
    }
    if (yielder.due(leaf.byteLength)) await yielder.turn();
  }
  const alive = new Set<bigint>();
  for (const number of leaseNumbers.values()) if (number !== NO_LEASE) alive.add(leases[number]!);
  return alive;
}
