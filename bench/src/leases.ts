/**
 * What learning leases costs another client of the same etcd, on each etcd that can be found:
 *
 *     node bench/src/leases.ts [--leases 100000] [--puts 500] [--rounds 10] [--versions 3.4,3.5] [--whole]
 *
 * A second thread puts at a steady rate. Slices of 3 s with a pause between them take turns, so that a busy machine is the same for
 * all: nothing else; a listing of all leases; 64 questions at a time without a pace, as a plain client would ask; the watcher's
 * LeaseTracker with its default settings. With --whole the tracker then learns all of them. Appends to bench/results/leases-<date>.txt.
 */
import { once } from 'node:events';
import { appendFile, mkdir } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';
import { EtcdMember, openEtcd3 } from '@etcd-ops/etcd-client';
import { etcdVersions, startEtcd } from '@etcd-ops/local-servers';
import { LeaseTracker, watcherSettings } from '@etcd-ops/watcher';
import type { PutLoadOptions } from './put-load.ts';

const { values } = parseArgs({
  options: {
    leases: { type: 'string', default: '100000' },
    puts: { type: 'string', default: '500' },
    rounds: { type: 'string', default: '10' },
    versions: { type: 'string', default: '3.4,3.5' },
    whole: { type: 'boolean', default: false },
  },
});
const leaseCount = Number(values.leases);
const putsPerSecond = Number(values.puts);
const SLICE_MS = 3_000;
const SETTLE_MS = 1_000;
const SLICE_LEASES = 2_000;
const LEASE_TTL_SECONDS = 86_400;
const GRANTERS = 128;
const ASKERS = 64;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
const date = new Date().toISOString().slice(0, 10);
const out = join(import.meta.dirname, '..', 'results', `leases-${date}.txt`);
await mkdir(join(out, '..'), { recursive: true });
await say(
  `${date}: ${leaseCount} leases, ${putsPerSecond} puts/s by another client; ${cpus().length} cores, node ${process.version}`,
);
const wanted = values.versions.split(',');
for (const version of etcdVersions().filter((one) => wanted.some((prefix) => one.startsWith(prefix)))) {
  await measureVersion(version);
}

async function measureVersion(version: string): Promise<void> {
  await using etcd = await startEtcd({ version });
  using member = new EtcdMember(etcd.endpoint, { endpoints: etcd.endpoints });
  const ids = await grantLeases(etcd.endpoint);
  const data: PutLoadOptions = { endpoint: etcd.endpoint, putsPerSecond };
  const load = new Worker(new URL('put-load.ts', import.meta.url), { workerData: data });
  let asked = 0;
  let listedMs = 0;
  const modes = {
    'nothing else': () => delay(SLICE_MS),
    'one listing of all leases': async () => {
      const begin = performance.now();
      await member.leases();
      listedMs = Math.max(listedMs, performance.now() - begin);
      await delay(SLICE_MS - (performance.now() - begin));
    },
    [`${ASKERS} questions at a time`]: async () => void (asked += await askPlainly(member, ids)),
    // As many as can be asked about in a slice: a hundred thousand sights at once, slice after slice, would be a load of our own.
    LeaseTracker: async () => void (asked += await learn(member, takeSome(ids), SLICE_MS)),
  };
  const seen = new Map<string, { latencies: number[]; asked: number }>();
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const [name, run] of Object.entries(modes)) {
      asked = 0;
      // What the slice before left behind is nobody's.
      await delay(SETTLE_MS);
      await latenciesOf(load);
      await run();
      const all = seen.get(name) ?? { latencies: [], asked: 0 };
      all.latencies.push(...(await latenciesOf(load)));
      all.asked += asked;
      seen.set(name, all);
    }
  }
  for (const [name, { latencies, asked: questions }] of seen) {
    const rate = Math.round((questions * 1_000) / (Number(values.rounds) * SLICE_MS));
    await say(`etcd ${version} | ${name.padEnd(26)} | ${putsOf(latencies)} | ${rate} questions/s`);
  }
  await say(`etcd ${version} | the slowest listing took ${listedMs.toFixed(0)} ms`);
  if (values.whole) await measureWhole(version, { member, ids, load });
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  load.postMessage('end');
  await once(load, 'exit');
}

async function measureWhole(
  version: string,
  { member, ids, load }: { member: EtcdMember; ids: readonly bigint[]; load: Worker },
): Promise<void> {
  await delay(SETTLE_MS);
  await latenciesOf(load);
  const begin = performance.now();
  const learned = await learn(member, ids);
  const seconds = (performance.now() - begin) / 1_000;
  const rest = `${Math.round(learned / seconds)}/s, load average ${loadavg()[0]!.toFixed(1)}`;
  await say(
    `etcd ${version} | all ${learned} learned in ${seconds.toFixed(0)} s | ${putsOf(await latenciesOf(load))} | ${rest}`,
  );
}

async function grantLeases(endpoint: string): Promise<bigint[]> {
  const client = await openEtcd3({ endpoints: [endpoint] });
  const ids: bigint[] = [];
  let next = 1;
  const granter = async (): Promise<void> => {
    while (next <= leaseCount) {
      const id = next++;
      await client.leaseClient.leaseGrant({ ID: String(id), TTL: LEASE_TTL_SECONDS });
      ids.push(BigInt(id));
    }
  };
  await Promise.all(Array.from({ length: GRANTERS }, granter));
  for (let first = 0; first < ids.length; first += 100) {
    const success = ids.slice(first, first + 100).map((id) => {
      return { request_put: { key: Buffer.from(`leased/${id}`), value: Buffer.from('v'), lease: String(id) } };
    });
    await client.kv.txn({ success });
  }
  client.close();
  return ids;
}

/** Others each time. */
function takeSome(ids: readonly bigint[]): bigint[] {
  const first = Math.floor(Math.random() * Math.max(1, ids.length - SLICE_LEASES));
  return ids.slice(first, first + SLICE_LEASES);
}

/** For one slice; answers how many were asked. */
async function askPlainly(member: EtcdMember, ids: readonly bigint[]): Promise<number> {
  let next = 0;
  const end = performance.now() + SLICE_MS;
  const asker = async (): Promise<void> => {
    // On a busy machine etcd 3.4 refuses some.
    while (performance.now() < end) await member.leaseTimeToLive(ids[next++ % ids.length]!).catch(() => undefined);
  };
  await Promise.all(Array.from({ length: ASKERS }, asker));
  return next;
}

/** For a time, or until all are learned; answers how many were. */
async function learn(member: EtcdMember, ids: readonly bigint[], durationMs = Infinity): Promise<number> {
  const settings = watcherSettings.parse({});
  if (durationMs === Infinity) collectGarbage();
  const heapBefore = process.memoryUsage().heapUsed;
  const tracker = new LeaseTracker({
    ...settings,
    leaseListPeriodMs: 10_000,
    source: member,
    now: () => Date.now(),
    onRecord: () => {},
    onError: () => {},
  });
  const end = performance.now() + durationMs;
  for (const id of ids) tracker.sight(id);
  let learned = 0;
  while (learned < ids.length && performance.now() < end) {
    await delay(20);
    learned += tracker.take(settings.leaseRecordsPerFrameMax).filter(({ source }) => source === 'ttl').length;
  }
  if (durationMs === Infinity) {
    collectGarbage();
    const heapMib = (process.memoryUsage().heapUsed - heapBefore) / 2 ** 20;
    await say(`heap of a tracker that knows ${learned} leases: ${heapMib.toFixed(1)} MiB`);
  }
  tracker.stop();
  return learned;
}

async function latenciesOf(load: Worker): Promise<number[]> {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  load.postMessage('report');
  const [latencies] = (await once(load, 'message')) as [number[]];
  return latencies;
}

function putsOf(latencies: readonly number[]): string {
  const sorted = latencies.toSorted((left, right) => left - right);
  const at = (share: number): string =>
    (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN).toFixed(1);
  return `${sorted.length} puts: p50 ${at(0.5)} p90 ${at(0.9)} p99 ${at(0.99)} max ${at(1)} ms`;
}

async function say(line: string): Promise<void> {
  process.stdout.write(`${line}\n`);
  await appendFile(out, `${line}\n`);
}
