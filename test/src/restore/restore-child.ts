import { LocalStore, parseInitialCluster, planRestore, readInventory, restore } from '@etcd-ops/core';
import { CLUSTER } from './recorded-history.ts';

/** Run by node for restore-killed.integration.test.ts: restores the latest revision, and prints `begun` and `done`. */
const [bucket, dataDirs] = process.argv.slice(2);
const store = new LocalStore(bucket!);
const plan = planRestore(await readInventory(store, CLUSTER), { kind: 'latest' });
process.stdout.write('begun\n');
await restore({
  store,
  plan,
  dataDirs: JSON.parse(dataDirs!) as { member: string; dataDir: string; walDir?: string }[],
  initialCluster: parseInitialCluster('m1=http://127.0.0.1:2380'),
  token: 'killed',
});
process.stdout.write('done\n');
