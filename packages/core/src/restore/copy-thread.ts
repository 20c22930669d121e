import { readSync, writeSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import {
  FILLED,
  LENGTHS,
  NOT_STARTED,
  READY,
  SLOT_BYTES,
  SLOTS,
  START,
  STOPPED,
  TAKEN,
  type CopyJob,
} from './copy-slots.ts';

/** The thread of `copyBeside`: reads into a slot, tells of it, writes it. Nothing else runs here, so it waits where it must. */
const { source, target, slots, turns } = workerData as CopyJob;
const buffers = Array.from({ length: SLOTS }, (_, slot) => Buffer.from(slots, slot * SLOT_BYTES, SLOT_BYTES));

Atomics.store(turns, READY, 1);
Atomics.notify(turns, READY);
Atomics.wait(turns, START, NOT_STARTED);
let position = Atomics.load(turns, START) * SLOT_BYTES;
for (let turn = 0; waitForSlot(turn); turn++) {
  const slot = turn % SLOTS;
  const bytes = readSync(source, buffers[slot]!, 0, SLOT_BYTES, position);
  if (bytes === 0) break;
  turns[LENGTHS + slot] = bytes;
  Atomics.store(turns, FILLED, turn + 1);
  Atomics.notify(turns, FILLED);
  for (let done = 0; done < bytes;) {
    done += writeSync(target, buffers[slot]!, done, bytes - done, position + done);
  }
  position += bytes;
}

/** False when nobody wants the rest. */
function waitForSlot(turn: number): boolean {
  for (;;) {
    const taken = Atomics.load(turns, TAKEN);
    if (Atomics.load(turns, STOPPED) !== 0) return false;
    if (turn - taken < SLOTS) return true;
    Atomics.wait(turns, TAKEN, taken);
  }
}
