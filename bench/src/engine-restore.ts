/**
 * One restore without the command line, with the time of each phase:
 *
 *     node bench/src/engine-restore.ts BUCKET CLUSTER DATA-DIR
 */
import { LocalStore, planRestore, readInventory, restore } from '@etcd-ops/core';

const [bucket, cluster, dataDir] = process.argv.slice(2);
if (bucket === undefined || cluster === undefined || dataDir === undefined) {
  throw new Error('usage: node bench/src/engine-restore.ts BUCKET CLUSTER DATA-DIR');
}
const loadedMs = performance.now();
const store = new LocalStore(bucket);
const plan = planRestore(await readInventory(store, cluster), { kind: 'latest' });
const report = await restore({
  store,
  plan,
  dataDirs: [{ member: 'default', dataDir }],
  initialCluster: [{ name: 'default', peerUrls: ['http://localhost:2380'] }],
  token: 'etcd-cluster',
});
const { phaseMs, rowsAppended, revision, databaseBytes } = report;
const rowsPerSecond = Math.round((rowsAppended * 1000) / phaseMs.rows);
const rssMb = Math.round(process.resourceUsage().maxRSS / 1024);
const totalMs = Math.round(performance.now());
console.log(
  JSON.stringify({
    loadedMs: Math.round(loadedMs),
    totalMs,
    phaseMs,
    rowsAppended,
    rowsPerSecond,
    revision,
    databaseBytes,
    rssMb,
  }),
);
