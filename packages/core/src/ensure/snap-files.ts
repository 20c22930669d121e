import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { crc32c } from '../base/crc32c.ts';
import { ProtoError, ProtoMessage } from '../datadir/proto-reader.ts';

const SNAP_NAME = /^([0-9a-f]{16})-([0-9a-f]{16})\.snap$/;
/** etcd's own v2 data may be in a snapshot; no cluster that was kept alive has this much of it. */
const SNAP_BYTES_MAX = 256 * 1024 * 1024;

export interface SnapFile {
  path: string;
  index: number;
  term: number;
}

/** The raft snapshots of a directory, newest first; damaged ones are only named: etcd takes the one before. */
export function listSnapFiles(snapDir: string): { usable: SnapFile[]; damaged: { path: string; rule: string }[] } {
  const usable: SnapFile[] = [];
  const damaged: { path: string; rule: string }[] = [];
  for (const name of readdirSync(snapDir).toSorted().toReversed()) {
    if (!SNAP_NAME.test(name)) continue;
    const path = join(snapDir, name);
    try {
      usable.push({ path, ...readSnapPlace(path) });
    } catch (error) {
      if (!(error instanceof ProtoError)) throw error;
      damaged.push({ path, rule: error.message });
    }
  }
  return { usable, damaged };
}

/** Checks the CRC and reads where in the log the snapshot is; what it holds is etcd's business. */
function readSnapPlace(path: string): { index: number; term: number } {
  const { size } = statSync(path);
  if (size > SNAP_BYTES_MAX) throw new ProtoError(`${size} bytes are more than ${SNAP_BYTES_MAX}`);
  const file = new ProtoMessage(readFileSync(path), [1, 2]);
  const body = file.bytes(2);
  if (file.varint(1) !== BigInt(crc32c(body) >>> 0)) throw new ProtoError('its CRC does not fit its bytes');
  const metadata = new ProtoMessage(new ProtoMessage(body, [1, 2]).bytes(2), [1, 2, 3]);
  return { index: metadata.number(2), term: metadata.number(3) };
}
