import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BoltFile } from '../bolt/bolt-file.ts';
import type { Identities } from '../encryption/identities.ts';
import type { RowBlock } from '../mvcc/row-block.ts';
import { rowsAbove } from '../mvcc/rows-above.ts';
import type { FullEntry } from '../repository/inventory.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { asDamageOf } from './damaged-object.ts';
import { fetchFull, isStoredPlain } from './fetch-full.ts';

/** The rows of a full, oldest first: out of the store's own file when it has one that is plain, else out of a copy. */
export async function* rowsOfFull(
  store: ObjectStore,
  full: FullEntry,
  options: {
    scratchDir?: string | undefined;
    identities?: Identities | undefined;
    signal?: AbortSignal | undefined;
  },
): AsyncGenerator<RowBlock> {
  const local = isStoredPlain(full) ? store.localPath?.(full.key) : undefined;
  if (local !== undefined) return yield* rowsOfFile(local, full.key);
  const directory = await mkdtemp(join(options.scratchDir ?? tmpdir(), 'etcd-ops-full-'));
  try {
    const path = join(directory, 'db');
    const { identities, signal } = options;
    await fetchFull({ store, full, path, verify: true, skipHashCheck: false, identities, signal });
    yield* rowsOfFile(path, full.key);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function* rowsOfFile(path: string, objectKey: string): Generator<RowBlock> {
  try {
    using file = BoltFile.open(path);
    yield* rowsAbove(file, 0);
  } catch (error) {
    throw asDamageOf(objectKey, error);
  }
}
