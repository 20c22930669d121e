import { createHash } from 'node:crypto';
import { open, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { Yielder } from '../base/yielding.ts';
import { bufferDeltaSource, DeltaReader, type DeltaSource } from '../delta/delta-reader.ts';
import { DELTA_SHA256_BYTES } from '../delta/delta-format.ts';
import { decryptBuffer } from '../encryption/age-buffer.ts';
import { decryptStage } from '../encryption/age-stream.ts';
import type { Identities } from '../encryption/identities.ts';
import type { DeltaEntry } from '../repository/inventory.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { readAhead, WriteBehind } from './copy-with-hash.ts';
import { asUnopened, blaming, DamagedObjectError } from './damaged-object.ts';

const MEMORY_BYTES_MAX = 16 * 1024 * 1024;
const HASH_STEP_BYTES = 1024 * 1024;
const HASH_READ_BYTES = 256 * 1024;
/** What DeltaReader asks for at a time; only a single larger row needs more. */
const SCRATCH_BYTES = 4 * 1024 * 1024;

export interface FetchDeltasOptions {
  store: ObjectStore;
  deltas: readonly DeltaEntry[];
  /** For deltas that are too large to be held in memory; must exist. */
  spoolDir: string;
  /** How many are fetched ahead of the one in use. */
  fetchersMax: number;
  /** For whoever fetches one delta after the other in calls of their own: what one leaves behind serves the next. */
  memory?: DeltaMemory | undefined;
  /** What opens encrypted deltas. */
  identities?: Identities | undefined;
  /**
   * Whether the SHA-256 of each is checked before it is given; true unless told. Whoever compares all of its rows with others needs no
   * hash of them, and what is given has passed its CRCs all the same.
   */
  hash?: boolean | undefined;
  signal?: AbortSignal | undefined;
  onBytes?: (bytes: number) => void;
}

export interface FetchedDelta {
  entry: DeltaEntry;
  /** Of its plain bytes; its SHA-256 was checked, unless that was not wanted. Valid until the next delta is asked for. */
  reader: DeltaReader;
}

/**
 * Fetches deltas side by side and gives them in order, each only when its SHA-256 is right.
 * @throws DamagedObjectError naming the delta; EtcdOpsError IDENTITY_MISSING.
 */
export async function* fetchDeltas(options: FetchDeltasOptions): AsyncGenerator<FetchedDelta, void, undefined> {
  const stop = new AbortController();
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal]);
  const memory = options.memory ?? new DeltaMemory();
  const ahead: Promise<OpenDelta>[] = [];
  let next = 0;
  const fetchMore = (): void => {
    while (ahead.length < options.fetchersMax && next < options.deltas.length) {
      const fetching = openDelta(options, next++, { memory, signal });
      // Its error is thrown when its turn comes.
      fetching.catch(() => undefined);
      ahead.push(fetching);
    }
  };
  let bytes = 0;
  try {
    fetchMore();
    for (const entry of options.deltas) {
      await using delta = await ahead.shift()!;
      fetchMore();
      yield { entry, reader: delta.reader };
      options.onBytes?.((bytes += entry.bytes));
    }
  } finally {
    stop.abort();
    for (const outcome of await Promise.allSettled(ahead)) {
      if (outcome.status === 'fulfilled') await outcome.value[Symbol.asyncDispose]();
    }
  }
}

interface FetchContext {
  memory: DeltaMemory;
  signal: AbortSignal;
}

interface OpenDelta extends AsyncDisposable {
  reader: DeltaReader;
}

async function openDelta(options: FetchDeltasOptions, position: number, context: FetchContext): Promise<OpenDelta> {
  const { signal, memory } = context;
  const entry = options.deltas[position]!;
  return await blaming(entry.key, async () => {
    if (entry.bytes <= memory.bytesMax / (options.fetchersMax + 1)) {
      const stored = await options.store.get(entry.key, { signal, bytesMax: entry.bytes });
      if (stored.length !== entry.bytes) throw wrongSize(entry, stored.length);
      const isPlain = entry.encryption === undefined;
      const bytes = isPlain ? stored : await decryptBuffer(entry.key, stored, options.identities);
      const sha256 = options.hash === false ? undefined : await sha256OfBuffer(bytes, signal);
      const reader = await checkedReader(entry, bufferDeltaSource(bytes), sha256);
      return { reader, [Symbol.asyncDispose]: async () => undefined };
    }
    return await openLargeDelta(options, position, context);
  });
}

/** A delta out of a file: its own when the store has one and it is plain, else a plain copy in the spool. */
async function openLargeDelta(
  options: FetchDeltasOptions,
  position: number,
  { memory, signal }: FetchContext,
): Promise<OpenDelta> {
  const { store, spoolDir, identities } = options;
  const entry = options.deltas[position]!;
  const local = entry.encryption === undefined ? store.localPath?.(entry.key) : undefined;
  const spool = join(spoolDir, `${position}.delta`);
  if (local === undefined) await spoolObject(store, entry, spool, { identities, signal });
  const file = await open(local ?? spool, 'r').catch((cause: unknown) => {
    throw asUnopened(entry.key, cause);
  });
  const close = async (): Promise<void> => {
    await file.close();
    if (local === undefined) await rm(spool, { force: true });
  };
  try {
    const { size } = await file.stat();
    if (entry.encryption === undefined && size !== entry.bytes) throw wrongSize(entry, size);
    const sha256 = options.hash === false ? undefined : await sha256OfFile(file, size, signal);
    const source = fileDeltaSource(file, size, memory);
    const reader = await checkedReader(entry, source, sha256);
    source.opened();
    return { reader, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function spoolObject(
  store: ObjectStore,
  entry: DeltaEntry,
  path: string,
  { identities, signal }: { identities: Identities | undefined; signal: AbortSignal },
): Promise<void> {
  await using spool = await WriteBehind.create(path);
  const stored = ofSize(store.stream(entry.key, { signal }), entry);
  const plain = entry.encryption === undefined ? stored : decryptStage(entry.key, identities)(stored);
  for await (const chunk of plain) await spool.write(chunk);
  await spool.finish(spool.bytes);
}

/** Neither more nor fewer bytes than were listed. */
async function* ofSize(chunks: AsyncIterable<Buffer>, entry: DeltaEntry): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > entry.bytes) throw wrongSize(entry, bytes);
    yield chunk;
  }
  if (bytes !== entry.bytes) throw wrongSize(entry, bytes);
}

/** `sha256`: that of its bytes, when it was computed. */
async function checkedReader(entry: DeltaEntry, source: DeltaSource, sha256: string | undefined): Promise<DeltaReader> {
  const reader = await DeltaReader.open(source);
  const { facts } = reader;
  if (sha256 !== undefined && facts.sha256 !== sha256) {
    throw damaged(entry, `its SHA-256 is ${sha256}, it says ${facts.sha256}`);
  }
  if (facts.firstRevision !== entry.first || facts.lastRevision !== entry.last) {
    throw damaged(entry, `it holds the revisions ${facts.firstRevision} to ${facts.lastRevision}, unlike its name`);
  }
  return reader;
}

async function sha256OfBuffer(bytes: Buffer, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  const yielder = new Yielder({ signal });
  const end = Math.max(0, bytes.length - DELTA_SHA256_BYTES);
  for (let offset = 0; offset < end; offset += HASH_STEP_BYTES) {
    hash.update(bytes.subarray(offset, Math.min(end, offset + HASH_STEP_BYTES)));
    await yielder.tick(HASH_STEP_BYTES);
  }
  return hash.digest('hex');
}

async function sha256OfFile(file: FileHandle, size: number, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  let left = size - DELTA_SHA256_BYTES;
  for await (const chunk of readAhead(file, { signal, readBytes: HASH_READ_BYTES })) {
    hash.update(chunk.subarray(0, Math.max(0, left)));
    left -= chunk.length;
  }
  return hash.digest('hex');
}

/** What deltas that are read one after the other may need. */
export class DeltaMemory {
  /** All deltas that are held in memory at one time: those ahead and the one in use. */
  readonly bytesMax: number;
  /** One buffer for all reads of a delta in a file. */
  scratch: Buffer = Buffer.alloc(0);

  constructor(bytesMax: number = MEMORY_BYTES_MAX) {
    this.bytesMax = bytesMax;
  }
}

/**
 * A delta in a file. While the reader opens, it gets buffers of its own, since it keeps them; afterwards the scratch serves
 * all reads: rows are copied out of it before the next ones are asked for, and a restore of many deltas makes no garbage.
 */
function fileDeltaSource(file: FileHandle, bytes: number, memory: DeltaMemory): DeltaSource & { opened: () => void } {
  let opened = false;
  return {
    bytes,
    opened: () => (opened = true),
    async read(offset, length) {
      if (opened && memory.scratch.length < length) {
        memory.scratch = Buffer.allocUnsafeSlow(Math.max(length, SCRATCH_BYTES));
      }
      const buffer = opened ? memory.scratch.subarray(0, length) : Buffer.allocUnsafeSlow(length);
      let done = 0;
      while (done < length) {
        const { bytesRead } = await file.read(buffer, done, length - done, offset + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return buffer.subarray(0, done);
    },
  };
}

function wrongSize(entry: DeltaEntry, bytes: number): DamagedObjectError {
  return damaged(entry, `it has ${bytes} bytes, the listing says ${entry.bytes}`);
}

function damaged(entry: DeltaEntry, rule: string): DamagedObjectError {
  return new DamagedObjectError('DELTA_DAMAGED', entry.key, { rule });
}
