/** A client of its own thread that puts at a steady rate, and measures each put from the moment it was due. */
import { parentPort, workerData } from 'node:worker_threads';
import { openEtcd3 } from '@etcd-ops/etcd-client';

export interface PutLoadOptions {
  endpoint: string;
  putsPerSecond: number;
}

export interface PutLoadReport {
  count: number;
  failed: number;
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
}

const { endpoint, putsPerSecond } = workerData as PutLoadOptions;
const client = await openEtcd3({ endpoints: [endpoint] });
const value = Buffer.alloc(200, 'v');
let latencies: number[] = [];
let failed = 0;
let serial = 0;
const beganMs = performance.now();

const timer = setInterval(() => {
  for (let due = beganMs + (serial * 1_000) / putsPerSecond; due <= performance.now();) {
    const dueMs = due;
    client.kv
      .put({ key: Buffer.from(`load/${serial % 1_000}`), value })
      .then(() => latencies.push(performance.now() - dueMs))
      .catch(() => failed++);
    due = beganMs + (++serial * 1_000) / putsPerSecond;
  }
}, 1);

parentPort!.on('message', (message: 'report' | 'end') => {
  if (message === 'end') {
    clearInterval(timer);
    client.close();
    parentPort!.close();
    return;
  }
  const sorted = latencies.toSorted((left, right) => left - right);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
  const report: PutLoadReport = {
    count: sorted.length,
    failed,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    maxMs: sorted.at(-1) ?? NaN,
  };
  latencies = [];
  failed = 0;
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  parentPort!.postMessage(report);
});
