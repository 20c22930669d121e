import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import type { HashJob } from './hash-in-worker.ts';

/** The thread of `hashInWorker`: nothing waits for it, so it reads as it comes. */
const READ_BYTES = 1024 * 1024;

const { path, bytes } = workerData as HashJob;
const hash = createHash('sha256');
const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
const descriptor = openSync(path, 'r');
try {
  let done = 0;
  while (done < bytes) {
    const got = readSync(descriptor, buffer, 0, Math.min(READ_BYTES, bytes - done), done);
    if (got === 0) break;
    hash.update(buffer.subarray(0, got));
    done += got;
  }
} finally {
  closeSync(descriptor);
}
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
parentPort?.postMessage(hash.digest());
