import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { appendFile, mkdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  BoltFile,
  BoltWriter,
  clusterPrefix,
  deltaKey,
  DeltaEncoder,
  encodeManifest,
  fullKey,
  LocalStore,
  manifestKey,
  Random,
  readStoreInfo,
  RowBlock,
  RowBlockBuilder,
  writeRevisionKey,
} from '@etcd-ops/core';

/** What a benchmark works on. Rows are puts, one a revision; the same shape gives the same bytes. */
export interface Shape {
  name: string;
  /** Rows of the full. */
  fullRows: number;
  /** Bytes of a value, key and fields of the row apart. */
  valueBytes: number;
  /** Distinct user keys; the rest of the rows are overwrites. */
  keys: number;
  deltas: number;
  deltaRows: number;
  deltaValueBytes: number;
}

const base = { deltas: 0, deltaRows: 0, deltaValueBytes: 0 };
export const SHAPES = {
  '100mb': { ...base, name: '100 MB', fullRows: 90_000, valueBytes: 1000, keys: 30_000 },
  '1gb': { ...base, name: '1 GB', fullRows: 900_000, valueBytes: 1000, keys: 300_000 },
  peer: {
    name: '344 MB + 131,812 revisions / 232 MB',
    fullRows: 250_000,
    valueBytes: 1000,
    keys: 100_000,
    deltas: 24,
    deltaRows: 131_812,
    deltaValueBytes: 1680,
  },
  rows300: {
    name: '700,000 rows of 300 B',
    fullRows: 10_000,
    valueBytes: 1000,
    keys: 10_000,
    deltas: 20,
    deltaRows: 700_000,
    deltaValueBytes: 235,
  },
} as const satisfies Record<string, Shape>;

export type ShapeName = keyof typeof SHAPES;

export interface BenchData {
  shape: Shape;
  /** A repository that the command line reads: `--bucket` and `--cluster-name`. */
  bucket: string;
  cluster: string;
  /** The full: a snapshot as `etcdctl snapshot save` writes it. */
  fullPath: string;
  fullBytes: number;
  deltaBytes: number;
  revision: number;
}

const CLUSTER = 'bench';
const CREATED_MS = Date.UTC(2026, 10, 20);
const EPOCH = '0'.repeat(31) + '1';
const ROWS_PER_BLOCK = 500;

/** Writes the repository of a shape below `directory`. */
export async function makeData(directory: string, shape: Shape): Promise<BenchData> {
  const bucket = join(directory, shape.name.replaceAll(/[^a-z0-9]+/gi, '-').toLowerCase());
  await mkdir(bucket, { recursive: true });
  const store = new LocalStore(bucket);
  const rows = new RowSource(shape);
  const first = shape.fullRows + 1;
  const key = fullKey({ cluster: CLUSTER, timeline: 1, revision: first, createdAtMs: CREATED_MS, codec: 'none' });
  const fullPath = join(bucket, key);
  await mkdir(dirname(fullPath), { recursive: true });
  writeFull(fullPath, rows, shape);
  await appendFile(fullPath, Buffer.from(await sha256(fullPath), 'hex'));
  await store.put(manifestKey(key), await manifestOf(fullPath));
  let deltaBytes = 0;
  for (let delta = 0; delta < shape.deltas; delta++) {
    const count =
      Math.floor(((delta + 1) * shape.deltaRows) / shape.deltas) - Math.floor((delta * shape.deltaRows) / shape.deltas);
    const encoder = new DeltaEncoder({ clusterId: 1n, timeline: 1, epoch: EPOCH });
    for (const block of rows.blocks(count, shape.deltaValueBytes)) encoder.addRows(block);
    const lastObservedMs = CREATED_MS + (delta + 1) * 10_000;
    encoder.addTime(encoder.lastRevision, lastObservedMs);
    const { bytes, facts } = encoder.finish();
    const { firstRevision, lastRevision } = facts;
    await store.put(
      deltaKey({ cluster: CLUSTER, timeline: 1, first: firstRevision, last: lastRevision, lastObservedMs }),
      bytes,
    );
    deltaBytes += bytes.length;
  }
  const { size: fullBytes } = await stat(fullPath);
  return { shape, bucket, cluster: CLUSTER, fullPath, fullBytes, deltaBytes, revision: rows.revision };
}

export function clusterFolder(data: BenchData): string {
  return join(data.bucket, clusterPrefix(data.cluster));
}

/** Puts over and over the same keys, from revision 2 on. */
class RowSource {
  revision = 1;
  readonly #keys: number;
  readonly #versions: Uint32Array;
  readonly #created: Uint32Array;
  readonly #noise: Buffer;
  readonly #random = new Random(20_261_120);

  constructor(shape: Shape) {
    this.#keys = shape.keys;
    this.#versions = new Uint32Array(shape.keys);
    this.#created = new Uint32Array(shape.keys);
    this.#noise = Buffer.alloc(1024 * 1024);
    for (let offset = 0; offset < this.#noise.length; offset += 4) {
      this.#noise.writeUInt32LE(this.#random.integer(0, 0xffff_ffff), offset);
    }
  }

  *blocks(count: number, valueBytes: number): Generator<RowBlock> {
    const builder = new RowBlockBuilder();
    for (let row = 0; row < count; row++) {
      this.revision++;
      builder.append(this.revision, 0, false, this.#keyValue(valueBytes));
      if (builder.rowCount === ROWS_PER_BLOCK) yield RowBlock.parse(builder.take());
    }
    if (builder.rowCount > 0) yield RowBlock.parse(builder.take());
  }

  #keyValue(valueBytes: number): Buffer {
    // All keys once in order, then at random.
    const number = this.revision - 2 < this.#keys ? this.revision - 2 : this.#random.integer(0, this.#keys - 1);
    const version = ++this.#versions[number]!;
    if (version === 1) this.#created[number] = this.revision;
    const key = Buffer.from(`/registry/bench/${number.toString().padStart(9, '0')}`);
    const start = this.#random.integer(0, this.#noise.length - valueBytes);
    return Buffer.concat([
      Buffer.from([0x0a, ...varint(key.length)]),
      key,
      Buffer.from([0x10, ...varint(this.#created[number]!), 0x18, ...varint(this.revision), 0x20, ...varint(version)]),
      Buffer.from([0x2a, ...varint(valueBytes)]),
      this.#noise.subarray(start, start + valueBytes),
    ]);
  }
}

function writeFull(path: string, rows: RowSource, shape: Shape): void {
  using writer = BoltWriter.create(path);
  const edge = writer.rightEdge('key');
  for (const block of rows.blocks(shape.fullRows, shape.valueBytes)) edge.appendRows(block, 0, block.rowCount);
  edge.finish();
  for (const name of ['alarm', 'auth', 'authRoles', 'authUsers', 'lease', 'members', 'members_removed']) {
    writer.replaceBucket(name, []);
  }
  writer.replaceBucket('cluster', [{ key: Buffer.from('clusterVersion'), value: Buffer.from('3.5.0') }]);
  const index = Buffer.alloc(8);
  index.writeBigUInt64BE(BigInt(rows.revision + 10));
  const term = Buffer.alloc(8);
  term.writeBigUInt64BE(2n);
  writer.replaceBucket('meta', [
    { key: Buffer.from('consistent_index'), value: index },
    { key: Buffer.from('term'), value: term },
  ]);
  writer.commit();
}

async function manifestOf(path: string): Promise<Buffer> {
  using file = BoltFile.open(path);
  const info = readStoreInfo(file);
  const bytes = file.fileBytes + file.trailerBytes;
  const hash = await sha256(path);
  const at = new Date(CREATED_MS).toISOString();
  return encodeManifest({
    version: 1,
    kind: 'full',
    cluster: CLUSTER,
    timeline: 1,
    revision: info.revision,
    compactRevision: info.compactRevision,
    lastRevisionDigest: info.lastRevisionDigest,
    lastRevisionRows: info.lastRevisionRows,
    clusterId: '1',
    memberId: '1',
    etcdVersion: '3.5.16',
    createdAt: at,
    finishedAt: at,
    codec: 'none',
    plainBytes: bytes,
    plainSha256: hash,
    storedBytes: bytes,
    storedSha256: hash,
    cause: 'bench',
  });
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** The row of the largest revision key, for whoever cuts a file by hand. */
export function revisionKeyOf(revision: number): Buffer {
  const key = Buffer.alloc(17);
  writeRevisionKey(key, 0, revision, 0, false);
  return key;
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes.push((rest & 0x7f) | 0x80);
  return [...bytes, rest];
}
