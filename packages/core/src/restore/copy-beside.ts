import { once } from 'node:events';
import type { FileHandle } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { Yielder } from '../base/yielding.ts';
import { FILLED, LENGTHS, newCopyJob, SLOT_BYTES, SLOTS, STOPPED, TAKEN, type CopyJob } from './copy-slots.ts';

/**
 * Copies a file on a thread of its own, and yields the very bytes that are written: whoever hashes them hashes what the copy gets.
 * Against reading and writing from here it saves two thirds of the turns between threads; starting the thread costs some 15 ms.
 * A chunk is valid until the next one is asked for. When the generator has ended by itself, all is written, not synced.
 */
export async function* copyBeside(
  source: FileHandle,
  target: FileHandle,
  { signal }: { signal?: AbortSignal | undefined } = {},
): AsyncGenerator<Buffer, void, undefined> {
  const job = newCopyJob(source.fd, target.fd);
  const worker = new Worker(new URL('./copy-thread.ts', import.meta.url), {
    workerData: job,
    resourceLimits: { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 32 },
  });
  const ended = once(worker, 'exit');
  // Thrown where it is awaited; it may come up earlier.
  ended.catch(() => undefined);
  const yielder = new Yielder({ signal });
  try {
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
    // Nobody else may use the descriptors while the thread does.
    await ended.catch(() => undefined);
  }
}

/** False when the thread has ended without a further slot. */
async function isFilled({ turns }: CopyJob, turn: number, ended: Promise<unknown>): Promise<boolean> {
  if (Atomics.load(turns, FILLED) > turn) return true;
  const waiting = Atomics.waitAsync(turns, FILLED, turn);
  if (waiting.async) await Promise.race([waiting.value, ended]);
  return Atomics.load(turns, FILLED) > turn;
}
