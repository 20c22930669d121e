import { EtcdOpsError } from '../base/errors.ts';
import { Yielder } from '../base/yielding.ts';
import type { Identities } from '../encryption/identities.ts';
import { REVISION_KEY_BYTES, TOMBSTONE_KEY_BYTES, type Revision } from '../mvcc/revision.ts';
import type { RowBlock } from '../mvcc/row-block.ts';
import { chains, lowestRevision } from '../repository/coverage.ts';
import { chooseDeltas } from '../repository/choose-deltas.ts';
import { openStoredDelta } from '../repository/delta-source.ts';
import type { DeltaEntry, FullEntry, Inventory, TimelineInventory } from '../repository/inventory.ts';
import { timelinesFor } from '../repository/plan-restore.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { asDamageOf } from './damaged-object.ts';
import { LivingKeys } from './living-keys.ts';
import { rowsOfFull } from './rows-of-full.ts';
import { UserKey } from './user-key.ts';

export interface FindDeletionOptions {
  /** One key, or all keys that begin with a prefix. Exactly one of the two. */
  key?: Uint8Array | undefined;
  prefix?: Uint8Array | undefined;
  /** The newest with a full unless told. */
  timeline?: number | undefined;
  /** For fulls that the store has not as plain local files; the system's directory for temporary files unless told. */
  scratchDir?: string | undefined;
  /** What opens encrypted objects. */
  identities?: Identities | undefined;
  signal?: AbortSignal | undefined;
}

export interface FoundDeletion {
  timeline: number;
  /** The last revision at which the key, or almost all of the prefix, lived: what to restore. */
  revision: Revision;
  /** The object in which the deletion was found. */
  objectKey: string;
  /** For a key: a later revision that made it anew. */
  recreatedAt?: Revision;
  /** For a prefix: how many keys lived, and how few afterwards. */
  keysBefore?: number;
  keysAfter?: number;
}

/**
 * Finds the newest deletion of a key, or the newest loss of more than half of the keys of a prefix, and the revision before it
 * (of a loss in several revisions: before its beginning).
 *
 * A key: rows are looked through newest first, deltas before the full below them. A prefix: how many of its keys live is
 * counted from the newest full on, then from the one before it, and so on. Rows that nothing can be restored from are not
 * looked at. Undefined when there is no such deletion in what was captured.
 *
 * @throws EtcdOpsError USAGE, NO_BACKUP, IDENTITY_MISSING, DamagedObjectError, STORE_FAILED, CANCELLED.
 */
export async function findDeletion(
  store: ObjectStore,
  inventory: Inventory,
  options: FindDeletionOptions,
): Promise<FoundDeletion | undefined> {
  const wanted = options.key ?? options.prefix;
  if (wanted === undefined || wanted.length === 0 || (options.key !== undefined && options.prefix !== undefined)) {
    throw new EtcdOpsError('USAGE', { message: 'Either a key or a prefix, of one byte or more, must be named' });
  }
  const timeline = timelinesFor(inventory, options.timeline)[0]!;
  const search: Search = { store, timeline, wanted, options };
  for (const span of spansOf(timeline)) {
    const found = options.key === undefined ? await findLoss(search, span) : await findKeyDeletion(search, span);
    if (found !== undefined) return { timeline: timeline.timeline, ...found };
  }
  return undefined;
}

interface Search {
  store: ObjectStore;
  timeline: TimelineInventory;
  wanted: Uint8Array;
  options: FindDeletionOptions;
  /** For a key: the newest put that was met so far. */
  newerPut?: Revision;
  /** For a prefix: the fewest keys that lived in the spans that were looked through. */
  lowestLater?: number;
}

/** A full with the deltas above it, up to the next full that reaches as far. */
interface Span {
  full: FullEntry;
  deltas: DeltaEntry[];
  /** Revisions in it that can be restored: (C or 1) .. the last one, which belongs to the span above when there is one. */
  from: Revision;
  to: Revision;
}

/** Newest first. Together they cover all that can be restored. */
function spansOf(timeline: TimelineInventory): Span[] {
  let reached = Infinity;
  return chains(timeline)
    .toReversed()
    .flatMap(({ full, from, to }): Span[] => {
      const end = Math.min(to, reached);
      if (full.revision > reached && from >= reached) return [];
      const deltas = end > full.revision ? (chooseDeltas(timeline.deltas, full.revision, end) ?? []) : [];
      reached = Math.min(reached, from);
      return [{ full, deltas, from: lowestRevision(full), to: end }];
    });
}

type Found = Omit<FoundDeletion, 'timeline'>;

async function findKeyDeletion(search: Search, { full, deltas, from, to }: Span): Promise<Found | undefined> {
  for (const entry of deltas.toReversed()) {
    const found = await newestDeletion(search, entry.key, deltaRows(search, entry), from, to);
    if (found !== undefined) return found;
  }
  const rows = rowsOfFull(search.store, full, search.options);
  return await newestDeletion(search, full.key, rows, from, Math.min(to, full.revision));
}

/** Rows of one object come oldest first: the last deletion of the key counts. */
async function newestDeletion(
  search: Search,
  objectKey: string,
  rows: AsyncIterable<RowBlock>,
  from: Revision,
  to: Revision,
): Promise<Found | undefined> {
  let deletedAt: Revision | undefined;
  let put: Revision | undefined;
  await eachRow(search, rows, (revision, tombstone) => {
    if (revision > to) return;
    if (!tombstone) {
      put ??= revision;
      return;
    }
    // What was put before this deletion does not undo it, whichever span it is found in.
    put = undefined;
    // The state before it must be restorable, too.
    if (revision > from) deletedAt = revision;
  });
  const recreatedAt = put ?? search.newerPut;
  if (put !== undefined && deletedAt === undefined) search.newerPut = put;
  if (deletedAt === undefined) return undefined;
  return { revision: deletedAt - 1, objectKey, ...(recreatedAt === undefined ? {} : { recreatedAt }) };
}

async function findLoss(search: Search, { full, deltas, from, to }: Span): Promise<Found | undefined> {
  const living = new LivingKeys();
  const ends: { objectKey: string; last: Revision }[] = [{ objectKey: full.key, last: full.revision }];
  let seen = 0;
  const count = async (rows: AsyncIterable<RowBlock>): Promise<void> => {
    const after = seen;
    await eachRow(search, rows, (revision, tombstone, bytes, key) => {
      // Deltas may overlap what was counted already.
      if (revision <= after || revision > to) return;
      seen = revision;
      living.row(revision, tombstone, bytes, key.start, key.end);
    });
  };
  await count(rowsOfFull(search.store, full, search.options));
  seen = Math.min(full.revision, to);
  for (const entry of deltas) {
    await count(deltaRows(search, entry));
    seen = Math.max(seen, entry.last);
    ends.push({ objectKey: entry.key, last: entry.last });
  }
  const loss = living.newestLoss(from, to, search.lowestLater);
  search.lowestLater = Math.min(search.lowestLater ?? Infinity, living.lowest(from));
  if (loss === undefined) return undefined;
  return { ...loss, objectKey: (ends.find(({ last }) => last > loss.revision) ?? ends.at(-1)!).objectKey };
}

async function* deltaRows({ store, options }: Search, entry: DeltaEntry): AsyncGenerator<RowBlock> {
  try {
    const reader = await openStoredDelta(store, entry, options);
    yield* reader.rowBlocks({ signal: options.signal });
  } catch (error) {
    throw asDamageOf(entry.key, error);
  }
}

/** Calls back for each row of the key, or of the prefix. `key` says where the user key lies in `bytes`. */
async function eachRow(
  { wanted, options }: Search,
  blocks: AsyncIterable<RowBlock>,
  visit: (revision: Revision, tombstone: boolean, bytes: Uint8Array, key: UserKey) => void,
): Promise<void> {
  const yielder = new Yielder({ signal: options.signal });
  const key = new UserKey();
  const exact = options.key !== undefined;
  for await (const block of blocks) {
    const { data, offsets, rowCount } = block;
    for (let row = 0; row < rowCount; row++) {
      const tombstone = block.isTombstone(row);
      key.find(data, offsets[row]! + (tombstone ? TOMBSTONE_KEY_BYTES : REVISION_KEY_BYTES), offsets[row + 1]!);
      if (exact ? key.equals(data, wanted) : key.startsWith(data, wanted)) {
        visit(block.main(row), tombstone, data, key);
      }
    }
    await yielder.tick(block.bytes.length);
  }
}
