import type { BoltFile } from '../bolt/bolt-file.ts';
import type { BoltWriter } from '../bolt/bolt-writer.ts';
import { ELEMENT_BYTES, PAGE_HEADER_BYTES } from '../bolt/format.ts';
import { EtcdOpsError } from '../base/errors.ts';
import { encodeRevisionKey, type Revision } from '../mvcc/revision.ts';
import type { PhaseProgress } from './phase-progress.ts';

interface Entry {
  key: Buffer;
  value: Buffer;
}

/** A compaction that was asked for and finished. Source: etcd server/storage/mvcc/util.go, kvstore_compaction.go. */
const COMPACT_KEYS = ['finishedCompactRev', 'scheduledCompactRev'];
const META = 'meta';

/** Copies a bucket entry by entry: inline when bbolt would keep it so, else as a tree of its own. Memory is bounded. */
export async function copyBucket(
  source: BoltFile,
  writer: BoltWriter,
  name: string,
  progress: PhaseProgress,
): Promise<void> {
  const small = smallBucket(source, name);
  if (small !== undefined) return writer.replaceBucket(name, small);
  const edge = writer.rightEdge(name);
  const cursor = source.bucket(name)!.cursor();
  for (let found = cursor.first(); found; found = cursor.next()) {
    requireNoBucket(cursor.isBucket, name);
    const { key, value } = cursor;
    edge.append(key, value);
    if (progress.due(key.length + value.length + ELEMENT_BYTES)) await progress.turn();
  }
  edge.finish();
}

/** The bucket `meta`, at the new compact revision. */
export function writeCompactedMeta(source: BoltFile, writer: BoltWriter, revision: Revision): void {
  const kept = entriesOf(source, META, Infinity)!.filter(({ key }) => !COMPACT_KEYS.includes(key.toString('latin1')));
  const compacted = COMPACT_KEYS.map((key) => ({ key: Buffer.from(key), value: encodeRevisionKey(revision) }));
  writer.replaceBucket(
    META,
    [...kept, ...compacted].sort((left, right) => Buffer.compare(left.key, right.key)),
  );
}

/** All entries of a bucket that bbolt would store inline; undefined when it is larger. */
function smallBucket(source: BoltFile, name: string): Entry[] | undefined {
  return entriesOf(source, name, source.pageSize / 4);
}

function entriesOf(source: BoltFile, name: string, bytesMax: number): Entry[] | undefined {
  const entries: Entry[] = [];
  let bytes = PAGE_HEADER_BYTES;
  const cursor = source.bucket(name)!.cursor();
  for (let found = cursor.first(); found; found = cursor.next()) {
    requireNoBucket(cursor.isBucket, name);
    bytes += ELEMENT_BYTES + cursor.key.length + cursor.value.length;
    if (bytes > bytesMax) return undefined;
    entries.push({ key: Buffer.from(cursor.key), value: Buffer.from(cursor.value) });
  }
  return entries;
}

/** No etcd has buckets inside of its buckets; what cannot be copied must not be lost in silence. */
function requireNoBucket(isBucket: boolean, name: string): void {
  if (!isBucket) return;
  throw new EtcdOpsError('MVCC_DAMAGED', { message: `The bucket ${name} holds a bucket: this is no etcd database` });
}
