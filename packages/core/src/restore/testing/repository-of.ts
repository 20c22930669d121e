import { createHash } from 'node:crypto';
import { appendFileSync, mkdirSync, readFileSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { BoltFile } from '../../bolt/bolt-file.ts';
import { DeltaEncoder } from '../../delta/delta-encoder.ts';
import type { LeaseRecord } from '../../mvcc/lease-record.ts';
import { RowBlock, RowBlockBuilder } from '../../mvcc/row-block.ts';
import { readStoreInfo } from '../../mvcc/store-info.ts';
import { encodeManifest } from '../../repository/full-manifest.ts';
import { readInventory, type Inventory } from '../../repository/inventory.ts';
import { deltaKey, fullKey, manifestKey } from '../../repository/object-key.ts';
import { LocalStore } from '../../storage/local-store.ts';

const CLUSTER = 'test';
const CREATED_MS = Date.UTC(2026, 10, 20);
const EPOCH = '0'.repeat(31) + '1';

export interface TestRow {
  main: number;
  sub: number;
  tombstone: boolean;
  value: Buffer;
}

/** A repository in a directory, made object by object. */
export class TestRepository {
  readonly store: LocalStore;
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
    this.store = new LocalStore(directory);
  }

  /** Stores a snapshot file, or a bare database which gets its trailing hash. */
  async addFull(
    path: string,
    options: { timeline?: number; etcdVersion?: string; createdAtMs?: number; cause?: string } = {},
  ): Promise<string> {
    const { timeline = 1, etcdVersion = '3.5.16', createdAtMs = CREATED_MS, cause = 'test' } = options;
    using file = BoltFile.open(path);
    const info = readStoreInfo(file);
    const key = fullKey({ cluster: CLUSTER, timeline, revision: info.revision, createdAtMs, codec: 'none' });
    const target = join(this.#directory, key);
    mkdirSync(dirname(target), { recursive: true });
    await copyFile(path, target);
    if (file.trailerBytes === 0) appendFileSync(target, createHash('sha256').update(readFileSync(target)).digest());
    const bytes = readFileSync(target);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const at = new Date(createdAtMs).toISOString();
    const { revision, compactRevision, lastRevisionDigest, lastRevisionRows } = info;
    const manifest = encodeManifest({
      ...{ version: 1, kind: 'full', cluster: CLUSTER, timeline, revision, compactRevision },
      ...{ lastRevisionDigest, lastRevisionRows, clusterId: '1', memberId: '1', etcdVersion },
      ...{ createdAt: at, finishedAt: at, codec: 'none', cause },
      ...{ plainBytes: bytes.length, plainSha256: sha256, storedBytes: bytes.length, storedSha256: sha256 },
    });
    await this.store.put(manifestKey(key), manifest);
    return key;
  }

  /** Rows of whole revisions without a hole. */
  async addDelta(
    rows: readonly TestRow[],
    options: { timeline?: number; leases?: LeaseRecord[]; lastObservedMs?: number } = {},
  ): Promise<string> {
    const { timeline = 1, leases = [], lastObservedMs = CREATED_MS + 10_000 } = options;
    const encoder = new DeltaEncoder({ clusterId: 1n, timeline, epoch: EPOCH });
    const builder = new RowBlockBuilder();
    for (const { main, sub, tombstone, value } of rows) builder.append(main, sub, tombstone, value);
    encoder.addRows(RowBlock.parse(builder.take()));
    encoder.addLeases(leases);
    encoder.addTime(encoder.lastRevision, lastObservedMs);
    const { bytes, facts } = encoder.finish();
    const key = deltaKey({
      ...{ cluster: CLUSTER, timeline, lastObservedMs },
      ...{ first: facts.firstRevision, last: facts.lastRevision },
    });
    await this.store.put(key, bytes);
    return key;
  }

  async inventory(): Promise<Inventory> {
    return await readInventory(this.store, CLUSTER);
  }
}
