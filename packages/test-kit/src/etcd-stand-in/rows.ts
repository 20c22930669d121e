import { BoltFile, BoltWriter, hashKV, RowBlock, RowBlockBuilder } from '@etcd-ops/core';
import { createHash } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { bytesField, numberField } from './proto.ts';

/** The first row of a store has revision 2. */
export const FIRST_ROW = 2;
/** Files of so many revisions are kept: clusters that were never written to have one and the same. */
const FILES_MAX = 32;
/** Of users and roles: as etcd begins. */
export const AUTH_REVISION = 1;
const EMPTY_BUCKETS = ['alarm', 'authRoles', 'authUsers', 'lease', 'members', 'members_removed'];

export interface SnapshotFile {
  bytes: Buffer;
  sha256: Buffer;
  /** etcd's HashKV at its last revision. */
  hash: number;
}

/**
 * What a cluster holds, which follows from its revision alone: each revision puts one key, the keys in turns. So nothing is kept for a
 * cluster, and a thousand of them fit into one process.
 */
export class StandInRows {
  readonly #keys: number;
  readonly #valueBytes: number;
  readonly #scratch: (name: string) => string;
  readonly #files = new Map<number, Promise<SnapshotFile>>();

  constructor(options: { keys: number; valueBytes: number; scratch: (name: string) => string }) {
    this.#keys = options.keys;
    this.#valueBytes = options.valueBytes;
    this.#scratch = options.scratch;
  }

  /** mvccpb.KeyValue of the one row of a revision. */
  keyValue(revision: number): Buffer {
    const key = (revision - FIRST_ROW) % this.#keys;
    return Buffer.concat([
      bytesField(1, `/stand-in/${String(key).padStart(6, '0')}`),
      numberField(2, FIRST_ROW + key),
      numberField(3, revision),
      numberField(4, Math.floor((revision - FIRST_ROW) / this.#keys) + 1),
      bytesField(5, Buffer.alloc(this.#valueBytes, `value of revision ${revision} `)),
    ]);
  }

  /** About as many as the database file takes. */
  bytesAt(revision: number): number {
    return (revision - FIRST_ROW + 1) * (this.#valueBytes + 64);
  }

  /** etcd's database file at a revision. */
  async file(revision: number): Promise<SnapshotFile> {
    let file = this.#files.get(revision);
    if (file === undefined) {
      if (this.#files.size >= FILES_MAX) this.#files.delete(this.#files.keys().next().value!);
      file = this.#makeFile(revision);
      this.#files.set(revision, file);
    }
    return await file;
  }

  async #makeFile(revision: number): Promise<SnapshotFile> {
    const path = this.#scratch(`${revision}.db`);
    this.#writeFile(path, revision);
    const bytes = await readFile(path);
    using file = BoltFile.open(path);
    const { hash } = await hashKV(file);
    await rm(path);
    return { bytes, sha256: createHash('sha256').update(bytes).digest(), hash };
  }

  #writeFile(path: string, revision: number): void {
    using writer = BoltWriter.create(path);
    const builder = new RowBlockBuilder();
    for (let main = FIRST_ROW; main <= revision; main++) builder.append(main, 0, false, this.keyValue(main));
    const block = RowBlock.parse(builder.take());
    const edge = writer.rightEdge('key');
    edge.appendRows(block, 0, block.rowCount);
    edge.finish();
    for (const name of EMPTY_BUCKETS) writer.replaceBucket(name, []);
    writer.replaceBucket('auth', [{ key: Buffer.from('authRevision'), value: uint64(AUTH_REVISION) }]);
    writer.replaceBucket('cluster', [{ key: Buffer.from('clusterVersion'), value: Buffer.from('3.5.0') }]);
    writer.replaceBucket('meta', [
      { key: Buffer.from('consistent_index'), value: uint64(revision) },
      { key: Buffer.from('term'), value: uint64(2) },
    ]);
    writer.commit({ sync: false });
  }
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}
