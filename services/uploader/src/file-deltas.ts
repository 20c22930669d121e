import {
  BoltFile,
  DeltaEncoder,
  deltaKey,
  encryptionOfPacking,
  putDelta,
  readLeases,
  readStoreInfo,
  rowsAbove,
  Yielder,
  type ObjectStore,
  type Packing,
  type Revision,
} from '@etcd-ops/core';
import { randomBytes } from 'node:crypto';

export interface FileDeltasOptions {
  /** A database file that was checked, and whose C is at or below `after`: above it, every row is there. */
  path: string;
  /** Lower-case hex; it names the writer of the rows, as an epoch does of those out of the stream. */
  fileSha256: string;
  cluster: string;
  timeline: number;
  clusterId: bigint;
  /** L. */
  after: Revision;
  /** Every row of the file is at least as old. */
  beganMs: number;
  deltaObjectBytesMax: number;
  packing: Packing;
  store: ObjectStore;
  signal: AbortSignal;
}

export interface StoredFileDeltas {
  keys: string[];
  bytes: number;
  /** S; `after` when the file holds nothing behind it. */
  revision: Revision;
}

/**
 * Writes the rows behind L out of a database file as ordinary deltas: what the watch would have delivered, row for row, without
 * etcd having served a watch. Their times say no more than that all of it is older than the snapshot. The same file gives the
 * same objects, unless they are encrypted: then their epoch is random, since the hash of the file lies in clear in its manifest.
 */
export async function storeFileDeltas(options: FileDeltasOptions): Promise<StoredFileDeltas> {
  const { path, after, store, signal } = options;
  const stored: StoredFileDeltas = { keys: [], bytes: 0, revision: after };
  const yielder = new Yielder({ signal });
  using file = BoltFile.open(path);
  const put = async (encoder: DeltaEncoder): Promise<void> => {
    encoder.addTime(encoder.lastRevision, options.beganMs);
    const delta = encoder.finish();
    const { cluster, timeline, beganMs, packing } = options;
    const { firstRevision: first, lastRevision: last } = delta.facts;
    const range = { first, last, lastObservedMs: beganMs };
    const key = deltaKey({ cluster, timeline, ...range, ...encryptionOfPacking(packing) });
    const { storedBytes } = await putDelta(store, key, delta, { recipients: packing.recipients, signal });
    stored.keys.push(key);
    stored.bytes += storedBytes;
    stored.revision = last;
  };
  const isEncrypted = options.packing.recipients !== undefined;
  const epoch = isEncrypted ? randomBytes(16).toString('hex') : options.fileSha256.slice(0, 32);
  let encoder = newEncoder({ ...options, epoch });
  for (const block of rowsAbove(file, after)) {
    await yielder.tick(block.bytes.length);
    let from = 0;
    if (encoder.lastRevision > 0 && encoder.byteLength + block.bytes.length > options.deltaObjectBytesMax) {
      // The rest of its last revision belongs to the object.
      from = block.firstRowAbove(encoder.lastRevision);
      encoder.addRows(block, 0, from);
      if (from < block.rowCount) {
        await put(encoder);
        encoder = newEncoder({ ...options, epoch });
      }
    }
    encoder.addRows(block, from);
  }
  if (encoder.lastRevision === 0) return stored;
  encoder.addLeases(leaseRecords(file));
  await put(encoder);
  return stored;
}

/** As the file knows the leases at its end: a restore to an earlier revision finds their TTLs here, too. */
function leaseRecords(file: BoltFile) {
  const { revision } = readStoreInfo(file);
  return [...readLeases(file)].map(([id, { ttlSeconds }]) => ({
    id,
    grantedTtlSeconds: ttlSeconds,
    askedAtRevision: revision,
    source: 'file' as const,
  }));
}

function newEncoder({ clusterId, timeline, epoch, packing }: FileDeltasOptions & { epoch: string }): DeltaEncoder {
  const { codec, compressionLevel } = packing;
  const level = compressionLevel === undefined ? {} : { compressionLevel };
  return new DeltaEncoder({ clusterId, timeline, epoch, codec, ...level });
}
