import { once } from 'node:events';
import type { FileHandle } from 'node:fs/promises';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { writeFully } from '../base/write-fully.ts';
import { Yielder } from '../base/yielding.ts';
import {
  FILLED,
  LENGTHS,
  newCopyJob,
  NOT_STARTED,
  READY,
  SLOT_BYTES,
  SLOTS,
  START,
  STOPPED,
  TAKEN,
  type CopyJob,
} from './copy-slots.ts';

/** In the bundle, it is JavaScript as its neighbours are. */
const THREAD = new URL(`./copy-thread${extname(import.meta.url)}`, import.meta.url);

export interface CopyBesideOptions {
  signal?: AbortSignal | undefined;
  /** At most so many bytes are copied from here while the thread starts; without a bound unless told. */
  ownBytesMax?: number;
}

/**
 * Copies a file on a thread of its own, and yields the very bytes that are written: whoever hashes them hashes what the copy gets.
 * Against reading and writing from here it saves two thirds of the turns between threads. Until the thread has started, which takes
 * some 30 ms, the copy goes on from here.
 * A chunk is valid until the next one is asked for. When the generator has ended by itself, all is written, not synced.
 */
export async function* copyBeside(
  source: FileHandle,
  target: FileHandle,
  { signal, ownBytesMax = Infinity }: CopyBesideOptions = {},
): AsyncGenerator<Buffer, void, undefined> {
  const job = newCopyJob(source.fd, target.fd);
  const worker = new Worker(THREAD, {
    workerData: job,
    resourceLimits: { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 32 },
  });
  const ended = once(worker, 'exit');
  // Thrown where it is awaited; it may come up earlier.
  ended.catch(() => undefined);
  const yielder = new Yielder({ signal });
  try {
    const own = copyUntilReady({ source, target, turns: job.turns, bytesMax: ownBytesMax });
    let ownSlots = 0;
    for await (const chunk of own) {
      yield chunk;
      ownSlots++;
      await yielder.tick(chunk.length);
    }
    begin(job, ownSlots);
    for (let turn = 0; await isFilled(job, turn, ended); turn++) {
      const slot = turn % SLOTS;
      const chunk = Buffer.from(job.slots, slot * SLOT_BYTES, job.turns[LENGTHS + slot]);
      yield chunk;
      Atomics.store(job.turns, TAKEN, turn + 1);
      Atomics.notify(job.turns, TAKEN);
      // The thread is mostly ahead: without this, nothing else would ever have its turn.
      await yielder.tick(chunk.length);
    }
    await ended;
  } finally {
    Atomics.store(job.turns, STOPPED, 1);
    Atomics.notify(job.turns, TAKEN);
    if (Atomics.load(job.turns, START) === NOT_STARTED) begin(job, 0);
    // Nobody else may use the descriptors while the thread does.
    await ended.catch(() => undefined);
  }
}

/** Copies slot by slot until the thread is there; each chunk is on its way to the file while it is looked at. */
async function* copyUntilReady({
  source,
  target,
  turns,
  bytesMax,
}: {
  source: FileHandle;
  target: FileHandle;
  turns: CopyJob['turns'];
  bytesMax: number;
}): AsyncGenerator<Buffer, void, undefined> {
  const buffer = Buffer.allocUnsafeSlow(SLOT_BYTES);
  for (let position = 0; position < bytesMax && Atomics.load(turns, READY) === 0;) {
    const bytes = await readFully(source, buffer, position);
    if (bytes === 0) return;
    const chunk = buffer.subarray(0, bytes);
    const writing = writeFully(target, chunk, position);
    // Thrown where it is awaited; it may come up earlier.
    writing.catch(() => undefined);
    try {
      yield chunk;
    } finally {
      await writing;
    }
    position += bytes;
  }
}

/** Fills the buffer, or as much of it as the file still has. */
async function readFully(file: FileHandle, buffer: Buffer, position: number): Promise<number> {
  let done = 0;
  while (done < buffer.length) {
    const { bytesRead } = await file.read(buffer, done, buffer.length - done, position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done;
}

/** Lets the thread go on behind so many slots. */
function begin({ turns }: CopyJob, ownSlots: number): void {
  Atomics.store(turns, START, ownSlots);
  Atomics.notify(turns, START);
}

/** False when the thread has ended without a further slot. */
async function isFilled({ turns }: CopyJob, turn: number, ended: Promise<unknown>): Promise<boolean> {
  if (Atomics.load(turns, FILLED) > turn) return true;
  const waiting = Atomics.waitAsync(turns, FILLED, turn);
  if (waiting.async) await Promise.race([waiting.value, ended]);
  return Atomics.load(turns, FILLED) > turn;
}
