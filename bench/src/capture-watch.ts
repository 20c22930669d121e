/**
 * The CPU that one watched event costs, and how fast rows arrive, on an empty etcd that may be filled:
 *
 *     node bench/src/capture-watch.ts ENDPOINT [revisions] [events per revision]
 *
 * Compare with DESIGN part 8. The wall time is etcd's (it sends a backlog in ticks); the CPU is ours.
 */
import { RowBlockBuilder } from '@etcd-ops/core';
import { EtcdMember, openEtcd3, type WatchSink } from '@etcd-ops/etcd-client';

const endpoint = process.argv[2];
if (endpoint === undefined) {
  throw new Error('usage: node bench/src/capture-watch.ts ENDPOINT [revisions] [events per revision]');
}
const endpoints = [endpoint];
const [revisions = 3_000, eventsPerRevision = 100] = process.argv.slice(3).map(Number);
const VALUE_BYTES = 200;
const ROUNDS = 4;
const LOADERS = 16;
const BLOCK_BYTES = 512 * 1024;

using member = new EtcdMember(endpoint, { endpoints });
await load();
const { revision, version } = await member.status();
console.log(
  `etcd ${version}: ${revisions * eventsPerRevision} events in ${revisions} revisions, ${VALUE_BYTES} B values`,
);
// The first round of each warms the code up.
for (let round = 0; round < ROUNDS; round++) {
  await measure(`rows counted, round ${round}`, () => {});
  const builder = new RowBlockBuilder();
  let sub = 0;
  let last = 0;
  await measure(`rows into row blocks, round ${round}`, (main, tombstone, value) => {
    sub = main === last ? sub + 1 : 0;
    last = main;
    builder.appendSlice(main, sub, tombstone, value);
    if (builder.byteLength > BLOCK_BYTES) builder.take();
  });
}

async function load(): Promise<void> {
  const client = await openEtcd3({ endpoints });
  const value = Buffer.alloc(VALUE_BYTES, 'v');
  let next = 0;
  const loader = async () => {
    while (next < revisions) {
      const id = next++ % 100;
      const success = Array.from({ length: eventsPerRevision }, (_, index) => ({
        request_put: { key: Buffer.from(`bench/${id}/${index}`), value },
      }));
      await client.kv.txn({ success });
    }
  };
  await Promise.all(Array.from({ length: LOADERS }, loader));
  client.close();
}

async function measure(label: string, row: WatchSink['row']): Promise<void> {
  let events = 0;
  let messageCount = 0;
  let reached = () => {};
  const done = new Promise<void>((resolve) => {
    reached = resolve;
  });
  let lastMain = 0;
  const sink: WatchSink = {
    created: () => {},
    row: (main, tombstone, value, lease) => {
      events++;
      lastMain = main;
      row(main, tombstone, value, lease);
    },
    batch: () => {
      messageCount++;
      if (lastMain >= revision) reached();
    },
    progress: () => {},
  };
  const cpuBefore = process.cpuUsage();
  const begin = performance.now();
  const watch = member.watch({ startRevision: 1, sink });
  await done;
  const wallSeconds = (performance.now() - begin) / 1_000;
  const { user, system } = process.cpuUsage(cpuBefore);
  watch.cancel();
  const cpu = ((user + system) / events).toFixed(3);
  const rss = Math.round(process.memoryUsage.rss() / 2 ** 20);
  console.log(
    `${label}: ${cpu} us CPU per event, ${messageCount} messages, ${wallSeconds.toFixed(2)} s wall, ` +
      `${Math.round(events / wallSeconds)} events/s, RSS ${rss} MB`,
  );
}
