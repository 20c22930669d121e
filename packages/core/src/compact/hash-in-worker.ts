import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { EtcdOpsError } from '../base/errors.ts';

/** In the bundle, it is JavaScript as its neighbours are. */
const THREAD = new URL(`./sha256-worker${extname(import.meta.url)}`, import.meta.url);

export interface HashJob {
  path: string;
  /** How many bytes from the beginning. */
  bytes: number;
}

/** SHA-256 of a file on a thread of its own, for work that goes on meanwhile. @throws EtcdOpsError DISK_FAILED, CANCELLED */
export async function hashInWorker(job: HashJob, signal?: AbortSignal): Promise<Buffer> {
  const worker = new Worker(THREAD, {
    workerData: job,
    resourceLimits: { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 32 },
  });
  const stop = (): void => void worker.terminate();
  signal?.addEventListener('abort', stop, { once: true });
  try {
    return await new Promise<Buffer>((resolve, reject) => {
      worker.once('message', (digest: Uint8Array) => resolve(Buffer.from(digest)));
      worker.once('error', (cause) =>
        reject(new EtcdOpsError('DISK_FAILED', { message: `Cannot read ${job.path}`, cause })),
      );
      worker.once('exit', () =>
        reject(new EtcdOpsError('CANCELLED', { message: 'The operation was cancelled', cause: signal?.reason })),
      );
      if (signal?.aborted === true) stop();
    });
  } finally {
    signal?.removeEventListener('abort', stop);
    await worker.terminate();
  }
}
