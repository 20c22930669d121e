/**
 * The edge proof of a full behind all deltas of a repository, with its rate:
 *
 *     node bench/src/engine-prove.ts BUCKET CLUSTER DATABASE SCRATCH
 *
 * DATABASE is what a restore of the repository made: it holds the rows of all deltas.
 */
import { BoltFile, LocalStore, proveEdge, readInventory, readStoreInfo } from '@etcd-ops/core';

const [bucket, cluster, path, scratch] = process.argv.slice(2);
if (bucket === undefined || cluster === undefined || path === undefined || scratch === undefined) {
  throw new Error('usage: node bench/src/engine-prove.ts BUCKET CLUSTER DATABASE SCRATCH');
}
const store = new LocalStore(bucket);
const timeline = (await readInventory(store, cluster)).timelines[0]!;
const before = timeline.fulls[0]!;
using file = BoltFile.open(path);
const { revision } = readStoreInfo(file);
const full = { ...before, key: path, revision, manifest: { ...before.manifest, revision } };
const [began, cpuBefore] = [performance.now(), process.cpuUsage()];
const { verdict, rows, rowBytes, problem } = await proveEdge({
  store,
  timeline,
  full,
  file,
  settledTo: before.revision,
  spoolDir: scratch,
});
const ms = performance.now() - began;
const { user, system } = process.cpuUsage(cpuBefore);
if (verdict !== 'ok') throw new Error(`the proof is ${verdict}: ${problem ?? ''}`);
console.log(
  JSON.stringify({
    rows,
    rowBytes,
    ms: Math.round(ms),
    mbPerSecond: Math.round(rowBytes / ms / 1000),
    mbPerCpuSecond: Math.round(rowBytes / (user + system)),
    rssMb: Math.round(process.resourceUsage().maxRSS / 1024),
  }),
);
