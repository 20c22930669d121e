import { randomUUID } from 'node:crypto';
import { mkdir, open, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Yielder } from '../base/yielding.ts';
import { BoltFile } from '../bolt/bolt-file.ts';
import { checkBoltFile } from '../bolt/check.ts';
import { digestFits } from '../encryption/sealed-digest.ts';
import type { Identities } from '../encryption/identities.ts';
import { isTombstoneRow, rowMain } from '../mvcc/row-key.ts';
import { leaseOfRow } from '../mvcc/row-value.ts';
import { readStoreInfo, ROW_BUCKET } from '../mvcc/store-info.ts';
import type { FullEntry } from '../repository/inventory.ts';
import { readAhead, SnapshotHasher } from '../restore/copy-with-hash.ts';
import { asUnopened, blaming, DamagedObjectError } from '../restore/damaged-object.ts';
import { fetchFull, isStoredPlain } from '../restore/fetch-full.ts';
import type { ObjectStore } from '../storage/object-store.ts';

export interface CheckFullOptions {
  store: ObjectStore;
  full: FullEntry;
  /** What opens encrypted objects; without it they are not read here. */
  identities?: Identities | undefined;
  /** For a copy of a full that is not a plain local file. */
  scratchDir: string;
  signal?: AbortSignal | undefined;
  onBytes?: (bytes: number) => void;
}

/**
 * Reads all of a full: its hashes, the structure of its pages, every row, and what its manifest says of it.
 * @throws DamagedObjectError naming it.
 */
export async function checkFullObject(options: CheckFullOptions): Promise<void> {
  const { store, full, scratchDir, identities, signal } = options;
  const local = isStoredPlain(full) ? store.localPath?.(full.key) : undefined;
  if (local !== undefined) {
    await hashLocalFull(local, options);
    return await blaming(full.key, async () => await checkDatabase(local, full, signal));
  }
  const path = join(scratchDir, `full-${process.pid}-${randomUUID()}`, 'db');
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  try {
    const { onBytes } = options;
    const watched = onBytes === undefined ? {} : { onBytes };
    await fetchFull({ store, full, path, verify: true, skipHashCheck: false, identities, signal, ...watched });
    await blaming(full.key, async () => await checkDatabase(path, full, signal));
  } finally {
    await rm(dirname(path), { recursive: true, force: true });
  }
}

async function hashLocalFull(path: string, { full, signal, onBytes }: CheckFullOptions): Promise<void> {
  const { storedBytes, storedSha256 } = full.manifest;
  const file = await open(path, 'r').catch((cause: unknown) => {
    throw asUnopened(full.key, cause);
  });
  const hasher = new SnapshotHasher(storedBytes);
  let bytes = 0;
  try {
    await blaming(full.key, async () => {
      for await (const chunk of readAhead(file, { signal })) {
        hasher.update(chunk);
        onBytes?.((bytes += chunk.length));
      }
    });
  } finally {
    await file.close();
  }
  const found = hasher.finish();
  if (found.bytes !== storedBytes) {
    throw damaged(full, `it has ${found.bytes} bytes, its manifest says ${storedBytes}`);
  }
  if (found.sha256 !== storedSha256) {
    throw damaged(full, `its SHA-256 is ${found.sha256}, not what its manifest says`);
  }
  if (found.bodySha256 !== found.trailer) {
    const rule = `its SHA-256 is ${found.bodySha256}, etcd appended ${found.trailer}`;
    throw new DamagedObjectError('SNAPSHOT_HASH_MISMATCH', full.key, { rule });
  }
}

async function checkDatabase(path: string, full: FullEntry, signal: AbortSignal | undefined): Promise<void> {
  using file = BoltFile.open(path);
  await checkBoltFile(file, { signal });
  const info = readStoreInfo(file);
  for (const field of ['revision', 'compactRevision', 'lastRevisionRows'] as const) {
    if (info[field] === full.manifest[field]) continue;
    throw damaged(full, `its ${field} is ${info[field]}, its manifest says ${full.manifest[field]}`);
  }
  const { lastRevisionDigest } = full.manifest;
  const digest = info.lastRevisionDigest;
  const fits =
    lastRevisionDigest === null || digest === null
      ? lastRevisionDigest === digest
      : digestFits(lastRevisionDigest, digest);
  if (!fits) {
    throw damaged(full, `its rows of revision ${info.revision} do not have the digest that its manifest records`);
  }
  const yielder = new Yielder({ signal });
  for (const leaf of file.bucket(ROW_BUCKET)!.leaves()) {
    for (let entry = 0; entry < leaf.count; entry++) {
      rowMain(leaf, entry);
      // Walks over the fields of the value: what is no KeyValue is found. A row of --bump-revision has none.
      if (!isTombstoneRow(leaf, entry) && leaf.valueLength(entry) > 0) leaseOfRow(leaf, entry);
    }
    if (yielder.due(leaf.byteLength)) await yielder.turn();
  }
}

function damaged(full: FullEntry, rule: string): DamagedObjectError {
  return new DamagedObjectError('OBJECT_DAMAGED', full.key, { rule });
}
