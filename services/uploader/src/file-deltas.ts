import {
  BoltFile,
  DeltaEncoder,
  deltaKey,
  readLeases,
  readStoreInfo,
  rowsAbove,
  Yielder,
  type ObjectStore,
  type Revision,
} from '@etcd-ops/core';
import { putOnce } from './put-once.ts';

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
 * same objects.
 */
export async function storeFileDeltas(options: FileDeltasOptions): Promise<StoredFileDeltas> {
  const { path, after, store, signal } = options;
  const stored: StoredFileDeltas = { keys: [], bytes: 0, revision: after };
  const yielder = new Yielder({ signal });
  using file = BoltFile.open(path);
  const put = async (encoder: DeltaEncoder): Promise<void> => {
    encoder.addTime(encoder.lastRevision, options.beganMs);
    const { bytes, facts } = encoder.finish();
    const { cluster, timeline, beganMs } = options;
    const { firstRevision: first, lastRevision: last } = facts;
    const key = deltaKey({ cluster, timeline, first, last, lastObservedMs: beganMs });
    await putOnce(store, key, bytes, signal);
    stored.keys.push(key);
    stored.bytes += bytes.length;
    stored.revision = last;
  };
  let encoder = newEncoder(options);
  for (const block of rowsAbove(file, after)) {
    await yielder.tick(block.bytes.length);
    let from = 0;
    if (encoder.lastRevision > 0 && encoder.byteLength + block.bytes.length > options.deltaObjectBytesMax) {
      // The rest of its last revision belongs to the object.
      from = block.firstRowAbove(encoder.lastRevision);
      encoder.addRows(block, 0, from);
      if (from < block.rowCount) {
        await put(encoder);
        encoder = newEncoder(options);
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

function newEncoder({ clusterId, timeline, fileSha256 }: FileDeltasOptions): DeltaEncoder {
  return new DeltaEncoder({ clusterId, timeline, epoch: fileSha256.slice(0, 32) });
}
