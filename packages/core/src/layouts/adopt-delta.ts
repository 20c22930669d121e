import { createHash, randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Packing } from '../repository/packing.ts';
import { encryptionOfPacking } from '../repository/packing.ts';
import { deltaKey } from '../repository/object-key.ts';
import { putDelta } from '../repository/put-delta.ts';
import { blaming } from '../restore/damaged-object.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { EventScanner, type KeyEvent } from './event-scanner.ts';
import { eventsToDeltas } from './events-to-deltas.ts';
import { readHashed, writePlain } from './foreign-bytes.ts';
import type { ForeignObject } from './foreign-repository.ts';

/** A foreign delta becomes several native ones above this: each is held in memory while it is made. */
const DELTA_BYTES_TARGET = 16 * 1024 * 1024;

/** The native repository that foreign snapshots go into. */
export interface AdoptTarget {
  store: ObjectStore;
  cluster: string;
  clusterId: bigint;
  packing: Packing;
  /** For files that are being looked at; nothing stays there. */
  scratchDir: string;
  signal?: AbortSignal | undefined;
}

/** Where foreign snapshots are read from: a store, or files. */
export type ImportSource = Pick<ObjectStore, 'stream' | 'localPath'>;

export interface AdoptedDelta {
  keys: string[];
  first: number;
  last: number;
  rows: number;
}

/**
 * Puts a delta of the seed tool or of gardener into a native repository: checked against its own SHA-256 as a whole, then translated
 * row by row. The same delta gives the same objects, so that doing it twice changes nothing.
 * @throws DamagedObjectError naming the foreign delta; EtcdOpsError STORE_..., CANCELLED.
 */
export async function adoptDelta(
  source: ImportSource,
  object: ForeignObject,
  { store, cluster, clusterId, packing, scratchDir, signal }: AdoptTarget,
): Promise<AdoptedDelta> {
  const path = join(scratchDir, `delta-${randomUUID()}`);
  const { first, last, timeline } = object;
  const adopted: AdoptedDelta = { keys: [], first, last, rows: 0 };
  try {
    const chunks = source.stream(object.key, signal === undefined ? {} : { signal });
    await blaming(object.key, async () => {
      await writePlain(chunks, path, { codec: object.codec, signal });
      // All of it is read once for the hash: nothing of a damaged delta is stored.
      for await (const _ of readHashed(path, signal));
    });
    const identity = {
      ...{ clusterId, timeline, epoch: epochOf(object.key), codec: packing.codec },
      ...(packing.compressionLevel === undefined ? {} : { compressionLevel: packing.compressionLevel }),
    };
    const pieces = eventsToDeltas(readEvents(path, signal), {
      ...{ identity, first, last, bytesMax: DELTA_BYTES_TARGET, signal },
    });
    for (;;) {
      const { value: delta, done } = await blaming(object.key, async () => await pieces.next());
      if (done === true) return adopted;
      const { firstRevision, lastRevision, lastObservedMs, rowCount } = delta.facts;
      const range = { first: firstRevision, last: lastRevision, lastObservedMs };
      const key = deltaKey({ cluster, timeline, ...range, ...encryptionOfPacking(packing) });
      await putDelta(store, key, delta, { recipients: packing.recipients, signal });
      adopted.keys.push(key);
      adopted.rows += rowCount;
    }
  } finally {
    await rm(path, { force: true });
  }
}

async function* readEvents(path: string, signal: AbortSignal | undefined): AsyncGenerator<KeyEvent, void, undefined> {
  const scanner = new EventScanner();
  for await (const chunk of readHashed(path, signal)) yield* scanner.push(chunk);
  yield* scanner.finish();
}

/** An epoch is that of one writer: here, of the object that the rows come out of. */
function epochOf(key: string): string {
  return createHash('sha256').update(key).digest('hex').slice(0, 32);
}
