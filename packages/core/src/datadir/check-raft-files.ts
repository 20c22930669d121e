import { EtcdOpsError } from '../base/errors.ts';
import type { RaftSnapshot } from './raft-snapshot-reader.ts';
import type { WalContent, WalHardState } from './wal-reader.ts';

/**
 * Checks that a raft log and a raft snapshot belong together: the log records the snapshot, knows it committed, and ends at
 * or behind it. Only so is a log that was cut between two records found out.
 *
 * @throws EtcdOpsError WAL_DAMAGED.
 */
export function checkRaftFiles(wal: WalContent, snapshot: RaftSnapshot): WalHardState {
  const hardState = wal.hardState;
  if (hardState === undefined) throw damaged('no hard state is recorded');
  if (hardState.commit < snapshot.index) {
    throw damaged(`it is committed up to ${hardState.commit}, the raft snapshot is at ${snapshot.index}`);
  }
  if (hardState.term < snapshot.term) {
    throw damaged(`its term ${hardState.term} is below that of the raft snapshot, ${snapshot.term}`);
  }
  if (!wal.snapshots.some((record) => record.index === snapshot.index && record.term === snapshot.term)) {
    throw damaged(`it does not record the raft snapshot at index ${snapshot.index}`);
  }
  return hardState;
}

function damaged(rule: string): EtcdOpsError {
  return new EtcdOpsError('WAL_DAMAGED', { message: `The write-ahead log does not fit the raft snapshot: ${rule}` });
}
