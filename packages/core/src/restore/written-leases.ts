import type { LeaseMode, RestoreReport } from './restore-options.ts';

export type WrittenLeases = RestoreReport['leases'] & { dropped?: number };

/** A restore counts the leases of the restored state; with `drop`, none of them is written. */
export function writtenLeases(leases: RestoreReport['leases'], mode: LeaseMode | undefined): WrittenLeases {
  if (mode !== 'drop') return leases;
  return { kept: 0, fromDeltas: 0, unknown: [], dropped: leases.kept + leases.fromDeltas + leases.unknown.length };
}
