import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { EtcdOpsError } from '../base/errors.ts';
import { ProtoError, ProtoMessage } from '../datadir/proto-reader.ts';
import { readRaftSnapshot, type RaftSnapshot } from '../datadir/raft-snapshot-reader.ts';
import { scanWal, type WalSummary } from '../ensure/scan-wal.ts';
import type { WalSegment } from '../ensure/wal-segments.ts';
import { v2KeysOf, v2WriteOf, type V2Keys } from './v2-store.ts';

export interface InspectedWal extends WalSummary {
  /** Entries that were read, those that a later leader wrote anew included. */
  entries: number;
  /** Entries that change the membership. */
  configChanges: number;
  /** Entries that write users' keys of the v2 store. */
  v2Writes: number;
}

/** One segment on its own, as `listWalSegments` would give it. */
export function walSegmentOf(path: string): WalSegment {
  const match = /^([0-9a-f]{16})-([0-9a-f]{16})\.wal/.exec(basename(path));
  const number = (hex: string | undefined): bigint => BigInt(`0x${hex ?? '0'}`);
  return { path, sequence: number(match?.[1]), firstIndex: Number(number(match?.[2])) };
}

/**
 * Reads segments as etcd does, and counts what is in them. Beyond that, the log must not end before what it says is committed.
 * @throws EtcdOpsError WAL_DAMAGED, CANCELLED.
 */
export async function inspectWal(segments: readonly WalSegment[], signal?: AbortSignal): Promise<InspectedWal> {
  const counts = { entries: 0, configChanges: 0, v2Writes: 0 };
  const summary = await scanWal(segments, signal, ({ type, data }) => {
    counts.entries++;
    if (type !== 0) counts.configChanges++;
    else if (v2WriteOf(data) !== undefined) counts.v2Writes++;
  });
  const { hardState, lastIndex } = summary;
  const reached = Math.max(lastIndex ?? 0, ...summary.snapshots.map(({ index }) => index));
  // A segment that was just begun repeats the hard state and has no entry yet.
  if (hardState !== undefined && lastIndex !== undefined && hardState.commit > reached) {
    throw new EtcdOpsError('WAL_DAMAGED', {
      message: `${segments.at(-1)?.path}: it says that entry ${hardState.commit} is committed, and ends at ${reached}`,
    });
  }
  return { ...summary, ...counts };
}

export interface InspectedRaftSnapshot extends RaftSnapshot {
  v2: V2Keys;
}

/** A `.snap` file with all that is in it. @throws EtcdOpsError RAFT_SNAPSHOT_DAMAGED. */
export function inspectRaftSnapshot(path: string): InspectedRaftSnapshot {
  // Checks the CRC first, and bounds the size.
  const snapshot = readRaftSnapshot(path);
  try {
    const body = new ProtoMessage(readFileSync(path), [1, 2]).bytes(2);
    return { ...snapshot, v2: v2KeysOf(new ProtoMessage(body, [1, 2]).bytes(1)) };
  } catch (error) {
    if (!(error instanceof ProtoError)) throw error;
    throw new EtcdOpsError('RAFT_SNAPSHOT_DAMAGED', { message: `${path}: ${error.message}`, cause: error });
  }
}
