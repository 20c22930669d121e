/** What `copyBeside` and its thread share: slots of bytes, and counts of turns. */
export interface CopyJob {
  /** Descriptors. */
  source: number;
  target: number;
  slots: SharedArrayBuffer;
  turns: Int32Array<SharedArrayBuffer>;
}

export const SLOT_BYTES = 512 * 1024;
export const SLOTS = 4;

/** Indexes of `CopyJob.turns`: slots that were read so far. */
export const FILLED = 0;
/** Slots that may be filled again. */
export const TAKEN = 1;
/** Not 0: the copy was given up. */
export const STOPPED = 2;
/** Not 0: the thread is there. */
export const READY = 3;
/** So many slots of the file were copied before the thread begins; NOT_STARTED until that is known. */
export const START = 4;
/** From here on: bytes in each slot. */
export const LENGTHS = 5;

export const NOT_STARTED = -1;

export function newCopyJob(source: number, target: number): CopyJob {
  const turns = new Int32Array(new SharedArrayBuffer((LENGTHS + SLOTS) * Int32Array.BYTES_PER_ELEMENT));
  turns[START] = NOT_STARTED;
  return { source, target, slots: new SharedArrayBuffer(SLOTS * SLOT_BYTES), turns };
}
