import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bucket } from '../bucket.ts';

export const GOLDEN_SNAPSHOT = join(import.meta.dirname, '..', 'golden', 'etcd-3.4.23-snapshot.db');

/** A directory for the files of one test. */
export class Scratch implements Disposable {
  readonly #path = mkdtempSync(join(tmpdir(), 'etcd-ops-bolt-'));
  #files = 0;

  file(): string {
    return join(this.#path, `${++this.#files}.db`);
  }

  [Symbol.dispose](): void {
    rmSync(this.#path, { recursive: true });
  }
}

export interface Entry {
  key: Buffer;
  value: Buffer;
}

/** All entries as a cursor shows them, copied. */
export function entriesOf(bucket: Bucket): Entry[] {
  const entries: Entry[] = [];
  const cursor = bucket.cursor();
  for (let found = cursor.first(); found; found = cursor.next()) {
    entries.push({ key: Buffer.from(cursor.key), value: Buffer.from(cursor.value) });
  }
  return entries;
}

export function entriesBackwards(bucket: Bucket): Entry[] {
  const entries: Entry[] = [];
  const cursor = bucket.cursor();
  for (let found = cursor.last(); found; found = cursor.previous()) {
    entries.push({ key: Buffer.from(cursor.key), value: Buffer.from(cursor.value) });
  }
  return entries;
}

/** All entries as a scan of leaves shows them, copied. */
export function scannedEntries(bucket: Bucket, fromKey?: Buffer): Entry[] {
  const entries: Entry[] = [];
  for (const leaf of bucket.leaves(fromKey === undefined ? {} : { fromKey })) {
    for (let entry = leaf.first; entry < leaf.count; entry++) {
      entries.push({ key: Buffer.from(leaf.key(entry)), value: Buffer.from(leaf.value(entry)) });
    }
  }
  return entries;
}

/** Short and printable, so that a difference can be read. */
export function describeEntries(entries: readonly { key: Uint8Array; value: Uint8Array }[]): string[] {
  return entries.map(
    ({ key, value }) =>
      `${Buffer.from(key).toString('hex')}=${value.length}:${Buffer.from(value.subarray(0, 8)).toString('hex')}`,
  );
}
