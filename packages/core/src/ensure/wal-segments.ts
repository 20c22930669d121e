import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { EtcdOpsError } from '../base/errors.ts';

const SEGMENT_NAME = /^([0-9a-f]{16})-([0-9a-f]{16})\.wal$/;

export interface WalSegment {
  path: string;
  sequence: bigint;
  /** The raft index of the first entry that may be in it. */
  firstIndex: number;
}

/**
 * The segments of a write-ahead log in order; what else lies there (`0.tmp`, `.broken`) etcd does not read either.
 * @throws EtcdOpsError WAL_DAMAGED when one is missing between two others.
 */
export function listWalSegments(walDir: string): WalSegment[] {
  const segments = readdirSync(walDir)
    .toSorted()
    .flatMap((name): WalSegment[] => {
      const match = SEGMENT_NAME.exec(name);
      if (match === null) return [];
      const firstIndex = Number(BigInt(`0x${match[2]}`));
      return [{ path: join(walDir, name), sequence: BigInt(`0x${match[1]}`), firstIndex }];
    });
  for (const [position, segment] of segments.entries()) {
    const before = segments[position - 1];
    if (before !== undefined && segment.sequence !== before.sequence + 1n) {
      throw new EtcdOpsError('WAL_DAMAGED', { message: `${walDir}: segments are missing before ${segment.path}` });
    }
  }
  return segments;
}
