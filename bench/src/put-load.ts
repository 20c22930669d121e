/** A client of its own thread that puts at a steady rate, and measures each put from the moment it was due. */
import { parentPort, workerData } from 'node:worker_threads';
import { openEtcd3 } from '@etcd-ops/etcd-client';

export interface PutLoadOptions {
  endpoint: string;
  putsPerSecond: number;
}

const { endpoint, putsPerSecond } = workerData as PutLoadOptions;
const client = await openEtcd3({ endpoints: [endpoint] });
const value = Buffer.alloc(200, 'v');
/** In milliseconds, since the last report; a put that failed counts as endless. */
let latencies: number[] = [];
let serial = 0;
const beganMs = performance.now();

async function put(id: number, dueMs: number): Promise<void> {
  try {
    await client.kv.put({ key: Buffer.from(`load/${id % 1_000}`), value });
    latencies.push(performance.now() - dueMs);
  } catch {
    latencies.push(Infinity);
  }
}

const timer = setInterval(() => {
  const nowMs = performance.now();
  for (;;) {
    const dueMs = beganMs + (serial * 1_000) / putsPerSecond;
    if (dueMs > nowMs) return;
    void put(serial++, dueMs);
  }
}, 1);

parentPort!.on('message', (message: 'report' | 'end') => {
  if (message === 'end') {
    clearInterval(timer);
    client.close();
    parentPort!.close();
    return;
  }
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  parentPort!.postMessage(latencies);
  latencies = [];
});
