/**
 * What learning leases costs another client of the same etcd, on each etcd that can be found:
 *
 *     node bench/src/leases.ts [--leases 100000] [--puts 500] [--versions 3.4,3.5]
 *
 * A second thread puts at a steady rate. Phases: nothing else (again between the others: a busy
 * machine shows there); a listing of all leases each 5 s; 64 questions at a time without a
 * limit, as a plain client would ask; the watcher's LeaseTracker with its default settings, which sees all leases at once. Writes the
 * table to bench/results/leases-<date>.txt as well.
 */
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { EtcdMember, openEtcd3 } from '@etcd-ops/etcd-client';
import { etcdVersions, startEtcd } from '@etcd-ops/local-servers';
import { LeaseTracker, watcherSettings } from '@etcd-ops/watcher';
import type { PutLoadOptions, PutLoadReport } from './put-load.ts';

const { values } = parseArgs({
  options: {
    leases: { type: 'string', default: '100000' },
    puts: { type: 'string', default: '500' },
    versions: { type: 'string', default: '3.4,3.5' },
  },
});
const leaseCount = Number(values.leases);
const putsPerSecond = Number(values.puts);
const QUIET_SECONDS = 15;
const LEASE_TTL_SECONDS = 86_400;
const lines: string[] = [];

const date = new Date().toISOString().slice(0, 10);
say(
  `${date}: ${leaseCount} leases, ${putsPerSecond} puts/s by another client; ${cpus().length} cores, node ${process.version}`,
);
for (const version of etcdVersions().filter((one) =>
  values.versions.split(',').some((wanted) => one.startsWith(wanted)),
)) {
  await measureVersion(version);
}
const directory = join(import.meta.dirname, '..', 'results');
await mkdir(directory, { recursive: true });
await writeFile(join(directory, `leases-${date}.txt`), `${lines.join('\n')}\n`);

async function measureVersion(version: string): Promise<void> {
  await using etcd = await startEtcd({ version });
  using member = new EtcdMember(etcd.endpoint, { endpoints: etcd.endpoints });
  const ids = await grantLeases(etcd.endpoint);
  const data: PutLoadOptions = { endpoint: etcd.endpoint, putsPerSecond };
  const load = new Worker(new URL('put-load.ts', import.meta.url), { workerData: data });
  const phase = async (name: string, work: () => Promise<string>): Promise<void> => {
    await delay(2_000);
    await report(load);
    const begin = performance.now();
    const cpuBefore = process.cpuUsage();
    const said = await work();
    const seconds = (performance.now() - begin) / 1_000;
    const { user, system } = process.cpuUsage(cpuBefore);
    const { p50Ms, p99Ms, maxMs, failed } = await report(load);
    const puts = `put p50 ${p50Ms.toFixed(1)} p99 ${p99Ms.toFixed(1)} max ${maxMs.toFixed(0)} ms, ${failed} failed`;
    const cpu = `CPU of all threads here ${((user + system) / 1e6 / seconds).toFixed(2)} cores`;
    say(
      `etcd ${version} | ${name} | ${seconds.toFixed(1)} s | ${puts} | ${said} | ${cpu}, load average ${loadavg()[0]!.toFixed(1)}`,
    );
  };
  const quiet = () => phase('nothing else', () => delay(QUIET_SECONDS * 1_000, 'nothing asked'));
  await quiet();
  await phase('a listing of all leases each 5 s', () => listings(member));
  await quiet();
  await phase('64 questions at a time, no pace', () => askPlainly(member, ids));
  await quiet();
  await phase('LeaseTracker', () => learn(member, ids));
  await quiet();
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  load.postMessage('end');
  await once(load, 'exit');
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
  await Promise.all(Array.from({ length: 128 }, granter));
  for (let first = 0; first < ids.length; first += 100) {
    const success = ids.slice(first, first + 100).map((id) => {
      return { request_put: { key: Buffer.from(`leased/${id}`), value: Buffer.from('v'), lease: String(id) } };
    });
    await client.kv.txn({ success });
  }
  client.close();
  return ids;
}

async function listings(member: EtcdMember): Promise<string> {
  const took: number[] = [];
  for (let count = 0; count < 3; count++) {
    await delay(5_000);
    const begin = performance.now();
    await member.leases();
    took.push(Math.round(performance.now() - begin));
  }
  return `listings took ${took.join(', ')} ms`;
}

async function askPlainly(member: EtcdMember, ids: readonly bigint[]): Promise<string> {
  let next = 0;
  const begin = performance.now();
  const asker = async (): Promise<void> => {
    for (let id = ids[next++]; id !== undefined; id = ids[next++]) await member.leaseTimeToLive(id);
  };
  await Promise.all(Array.from({ length: 64 }, asker));
  return rate(ids.length, begin);
}

async function learn(member: EtcdMember, ids: readonly bigint[]): Promise<string> {
  const settings = watcherSettings.parse({});
  let errors = 0;
  const tracker = new LeaseTracker({
    ...settings,
    leaseListPeriodMs: 10_000,
    source: member,
    now: () => Date.now(),
    onRecord: () => {},
    onError: () => errors++,
  });
  const begin = performance.now();
  for (const id of ids) tracker.sight(id);
  let learned = 0;
  while (learned < ids.length) {
    await delay(50);
    learned += tracker.take(settings.leaseRecordsPerFrameMax).filter(({ source }) => source === 'ttl').length;
  }
  tracker.stop();
  const rss = Math.round(process.memoryUsage.rss() / 2 ** 20);
  return `${rate(ids.length, begin)}, ${errors} errors, RSS ${rss} MB with the load's thread`;
}

function rate(count: number, beginMs: number): string {
  const seconds = (performance.now() - beginMs) / 1_000;
  return `${count} asked, ${Math.round(count / seconds)}/s`;
}

async function report(load: Worker): Promise<PutLoadReport> {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  load.postMessage('report');
  const [answer] = (await once(load, 'message')) as [PutLoadReport];
  return answer;
}

function say(line: string): void {
  lines.push(line);
  process.stdout.write(`${line}\n`);
}
