import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { EtcdOpsError } from '../base/errors.ts';
import { fileSource } from '../datadir/byte-source.ts';
import { ProtoError, ProtoMessage } from '../datadir/proto-reader.ts';
import { readRaftSnapshot, type RaftSnapshot } from '../datadir/raft-snapshot-reader.ts';
import { WAL_LENGTH_FIELD_BYTES } from '../datadir/wal-format.ts';
import { scanWal, type WalSummary } from '../ensure/scan-wal.ts';
import type { WalSegment } from '../ensure/wal-segments.ts';
import { v2KeysOf, v2WriteOf, type V2Keys } from './v2-store.ts';

/** What a disk writes whole or not at all. */
const SECTOR_BYTES = 512;

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
 * Reads segments as etcd does, and counts what is in them. It is stricter in two things: the log must not end before what it says
 * is committed, and a length that no write can have left is damage, where etcd would cut off all that follows.
 * @throws EtcdOpsError WAL_DAMAGED, CANCELLED.
 */
export async function inspectWal(segments: readonly WalSegment[], signal?: AbortSignal): Promise<InspectedWal> {
  const counts = { entries: 0, configChanges: 0, v2Writes: 0 };
  const summary = await scanWal(segments, signal, ({ type, data }) => {
    counts.entries++;
    if (type !== 0) counts.configChanges++;
    else if (v2WriteOf(data) !== undefined) counts.v2Writes++;
  });
  const { hardState, lastIndex, torn } = summary;
  if (torn !== undefined) refuseDamagedLength(torn);
  const reached = Math.max(lastIndex ?? 0, ...summary.snapshots.map(({ index }) => index));
  // A segment that was just begun repeats the hard state and has no entry yet.
  if (hardState !== undefined && lastIndex !== undefined && hardState.commit > reached) {
    throw new EtcdOpsError('WAL_DAMAGED', {
      message: `${segments.at(-1)?.path}: it says that entry ${hardState.commit} is committed, and ends at ${reached}`,
    });
  }
  return { ...summary, ...counts };
}

/** A length lies within one sector, so a crash leaves it whole or zero; and one that is whole does not reach over zeros to the end. */
function refuseDamagedLength({ path, offset, rule }: NonNullable<WalSummary['torn']>): void {
  using source = fileSource(path);
  const bytesLeft = source.bytes - offset - WAL_LENGTH_FIELD_BYTES;
  const recordBytes = source.read(offset, WAL_LENGTH_FIELD_BYTES).readBigUInt64LE() & 0x00ff_ffff_ffff_ffffn;
  if (recordBytes <= BigInt(bytesLeft) || bytesLeft < SECTOR_BYTES) return;
  if (source.read(source.bytes - SECTOR_BYTES, SECTOR_BYTES).some((byte) => byte !== 0)) return;
  throw new EtcdOpsError('WAL_DAMAGED', { message: `${path}: at byte ${offset}: ${rule}, and zeros are at its end` });
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
