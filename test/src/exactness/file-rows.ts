import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { BoltFile, readStoreInfo } from '@etcd-ops/core';
import type { EtcdMember } from '@etcd-ops/etcd-client';
import type { WatchRows } from '@etcd-ops/test-kit';

/** The bucket `key` of a snapshot. */
export interface FileRows {
  /** Revision key as hex to value. */
  rows: Map<string, Buffer>;
  /** S and C. */
  revision: number;
  compactRevision: number;
}

/** Takes a snapshot of one member and reads every row of it. */
export async function readFileRows(member: EtcdMember, path: string): Promise<FileRows> {
  await pipeline(member.snapshot(), createWriteStream(path));
  using file = BoltFile.open(path);
  const { revision, compactRevision } = readStoreInfo(file);
  const rows = new Map<string, Buffer>();
  const cursor = file.bucket('key')!.cursor();
  for (let more = cursor.first(); more; more = cursor.next()) {
    rows.set(cursor.key.toString('hex'), Buffer.from(cursor.value));
  }
  return { rows, revision, compactRevision };
}

/**
 * What differs between watched rows and those of a file, up to the file's last revision: nothing, if capture is exact. A compaction
 * takes rows at and below C out of the file, and those alone.
 */
export function differences(watched: WatchRows, file: FileRows): string[] {
  const found: string[] = watched.holes.map((main) => `a hole before ${main}`);
  for (const [key, value] of file.rows) {
    const seen = watched.rows.get(key);
    // Revision 1 is the empty store's.
    if (mainOf(key) <= 1) continue;
    if (seen === undefined) found.push(`${key} was not watched`);
    else if (!seen.equals(value)) found.push(`${key} was watched with another value`);
  }
  for (const key of watched.rows.keys()) {
    const main = mainOf(key);
    if (main <= file.revision && main > file.compactRevision && !file.rows.has(key)) {
      found.push(`${key} is not in the file`);
    }
  }
  return found;
}

function mainOf(key: string): number {
  return Number(BigInt(`0x${key.slice(0, 16)}`));
}
