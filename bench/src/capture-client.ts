/**
 * One watcher of the whole keyspace as a process of its own: reads a backlog and says what each event cost. For capture-bench.ts.
 *
 *     node bench/src/capture-client.ts ours|etcd3 ENDPOINT HEAD
 */
import { EtcdMember, openEtcd3, type WatchSink } from '@etcd-ops/etcd-client';

const [who, endpoint = '', head = ''] = process.argv.slice(2);
const headRevision = Number(head);
const { promise: done, resolve: reached } = Promise.withResolvers<void>();
let events = 0;
const before = process.cpuUsage();
if (who === 'ours') {
  using member = new EtcdMember(endpoint, { endpoints: [endpoint] });
  let last = 0;
  const sink: WatchSink = {
    created: () => {},
    row: (main) => {
      events++;
      last = main;
    },
    batch: () => {
      if (last >= headRevision) reached();
    },
    progress: () => {},
  };
  member.watch({ startRevision: 1, sink });
  await done;
  tell();
} else {
  const client = await openEtcd3({ endpoints: [endpoint] });
  const watcher = await client.watch().prefix('bench/').startRevision('1').create();
  watcher.on('data', (response) => {
    events += response.events.length;
    if (Number(response.events.at(-1)?.kv.mod_revision ?? 0) >= headRevision) reached();
  });
  await done;
  tell();
  await watcher.cancel();
  client.close();
}

function tell(): void {
  const { user, system } = process.cpuUsage(before);
  const peakMb = Math.round(process.resourceUsage().maxRSS / 1024);
  console.log(
    `${((user + system) / events).toFixed(2)} us CPU per event (${events} events, start not counted), peak RSS ${peakMb} MB`,
  );
}
