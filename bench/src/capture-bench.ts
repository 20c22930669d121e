/**
 * What capture costs and how fast it is, against its peers in the same run:
 *
 *     node bench/src/capture-bench.ts [cpu] [latency] [catch-up | catch-up=REVISIONS] > bench/results/capture-<date>.txt
 *
 * Without a name, all of it, twice. Needs some 3 GB of disk below the temporary directory.
 */
import { streamFacts } from '@etcd-ops/bus';
import { EtcdMember, type WatchSink } from '@etcd-ops/etcd-client';
import { findBinary, spawnGuarded, startEtcd, type LocalEtcd } from '@etcd-ops/local-servers';
import { execFile } from 'node:child_process';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import {
  CaptureStage,
  cpuSecondsOf,
  load,
  percentile,
  SERVICE_FLAGS,
  until,
  type ServiceProcess,
} from './capture-stage.ts';

const ROUNDS = Number(process.env['CAPTURE_ROUNDS'] ?? 2);
const VALUE_BYTES = 200;
/** However large a backlog is, it is watched and not taken out of a full. */
const WATCHED_WHOLE = {
  ETCD_OPS_PLAIN_BYTES_MAX: String(2 ** 30),
  ETCD_OPS_SEGMENTS_BYTES_MAX: String(2 ** 30),
};
const wanted = process.argv.slice(2);
const wants = (name: string): boolean => wanted.length === 0 || wanted.includes(name);

function say(line: string): void {
  console.log(`[load ${loadavg()[0]!.toFixed(1)}] ${line}`);
}

const ms = (value: number): string => `${value.toFixed(1)} ms`;

/**
 * CPU per event of a backlog of 500,000 events: our watcher, `etcdctl watch`, an etcd3 watcher. Ten events a revision, since the
 * etcd3 client gives up at a message of 4 MB.
 */
async function compareCpu(): Promise<void> {
  const revisions = 50_000;
  const eventsPerRevision = 10;
  const events = revisions * eventsPerRevision;
  await using stage = await CaptureStage.open();
  const { endpoints } = stage.etcd;
  // The first full of the watcher's history must not find its rows in the past: it begins before the load.
  {
    await using watcher = await stage.spawn('watcher');
    await until(
      () => watcher.isReady(),
      30_000,
      () => 'no watcher',
    );
  }
  await load(endpoints, { count: revisions, opsPerTxn: eventsPerRevision, valueBytes: VALUE_BYTES, writers: 16 });
  const head = await headOf(stage.etcd);
  for (let turn = 0; turn < 3; turn++) {
    await clientCpu('etcd3', stage.etcd, head);
    await etcdctlCpu(stage.etcd, events);
    await clientCpu('ours', stage.etcd, head);
  }
  await using watcher = await stage.spawn('watcher', WATCHED_WHOLE);
  await stage.captured(head);
  const { messages } = await streamFacts(stage.bus, 'bench');
  // What a process that captures nothing needs to get ready.
  const { rest, restSeconds } = await restCpu();
  const cpu = watcher.cpuSeconds - rest;
  say(
    `watcher process, ${events} events: ${((cpu / events) * 1e6).toFixed(2)} us CPU per event to the acknowledgement ` +
      `(start of ${restSeconds.toFixed(2)} s taken off), ${messages} messages, peak RSS ${watcher.peakMb} MB`,
  );
}

async function restCpu(): Promise<{ rest: number; restSeconds: number }> {
  await using stage = await CaptureStage.open();
  await using watcher = await stage.spawn('watcher');
  await stage.captured(1);
  const rest = watcher.cpuSeconds;
  return { rest, restSeconds: rest };
}

/** A client as a process of its own, as `etcdctl` is one: neither pays for the heap of this bench. */
async function clientCpu(who: 'ours' | 'etcd3', etcd: LocalEtcd, head: number): Promise<void> {
  const script = join(import.meta.dirname, 'capture-client.ts');
  const flags = who === 'ours' ? SERVICE_FLAGS : [];
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, script, who, etcd.endpoint, String(head)]);
  say(`${who === 'ours' ? 'our watch client' : 'etcd3 watcher'} alone: ${stdout.trim()}`);
}

async function etcdctlCpu(etcd: LocalEtcd, events: number): Promise<void> {
  const etcdctl = findBinary('etcdctl');
  if (etcdctl === undefined) return;
  const child = await spawnGuarded(
    '/bin/sh',
    ['-c', 'exec "$0" "$@" >/dev/null', etcdctl, '--endpoints', etcd.endpoint, 'watch', '', '--prefix', '--rev', '1'],
    { env: { ...process.env, ETCDCTL_API: '3' } },
  );
  let before = -1;
  // It prints to nowhere: it is through when it has used no CPU for a second.
  await until(
    async () => {
      const now = cpuSecondsOf(child.pid);
      const isIdle = now === before && now > 0.1;
      before = now;
      await sleep(1_000);
      return isIdle;
    },
    120_000,
    () => 'etcdctl is stuck',
  );
  say(`etcdctl watch > /dev/null: ${((cpuSecondsOf(child.pid) / events) * 1e6).toFixed(2)} us CPU per event`);
  await child.kill();
}

/** Catch-up with 500 writes/s of others meanwhile. */
async function compareCatchUp(behind: number): Promise<void> {
  await using stage = await CaptureStage.open();
  const { endpoints } = stage.etcd;
  await using uploader = await stage.spawn('uploader');
  {
    await using watcher = await stage.spawn('watcher');
    await until(
      async () => (await uploader.metric('uploader_fulls_total')) > 0,
      30_000,
      () => 'no full',
    );
    await until(
      () => watcher.isReady(),
      30_000,
      () => 'no watcher',
    );
  }
  const filled = await load(endpoints, { count: behind, valueBytes: VALUE_BYTES, writers: 256 });
  say(`${behind} revisions were written in ${filled.seconds.toFixed(1)} s`);
  const quiet = await load(endpoints, { count: 2_000, perSecond: 500, writers: 64 });
  sayWriters('nobody catches up', quiet);
  await ownCatchUp(stage, behind);
  await plainCatchUp(stage, behind);
}

function sayWriters(during: string, { latenciesMs, errors }: Awaited<ReturnType<typeof load>>): void {
  const [p50, p99, max] = [percentile(latenciesMs, 0.5), percentile(latenciesMs, 0.99), latenciesMs.at(-1) ?? 0];
  say(
    `  writers while ${during}: p50 ${ms(p50)}, p99 ${ms(p99)}, max ${ms(max)}, ${errors} failed of ${latenciesMs.length + errors}`,
  );
}

async function plainCatchUp(stage: CaptureStage, behind: number): Promise<void> {
  using member = new EtcdMember(stage.etcd.endpoint, { endpoints: stage.etcd.endpoints });
  let last = 0;
  const sink: WatchSink = { created: () => {}, row: (main) => void (last = main), batch: () => {}, progress: () => {} };
  const stop = new AbortController();
  const writing = load(stage.etcd.endpoints, { count: 1e9, perSecond: 500, writers: 64, signal: stop.signal });
  await sleep(1_000);
  const begun = performance.now();
  const watch = member.watch({ startRevision: 2, sink });
  const capMs = 20_000;
  await until(
    () => last >= behind + 1 || performance.now() - begun > capMs,
    60_000,
    () => 'stuck',
  );
  const seconds = (performance.now() - begun) / 1_000;
  watch.cancel();
  await sleep(500);
  stop.abort();
  const done = last >= behind + 1 ? 'done' : `given up at ${last} of ${behind}`;
  say(`plain watch, ${behind} behind: ${seconds.toFixed(2)} s, ${done}`);
  sayWriters('a plain watch catches up', await writing);
}

async function ownCatchUp(stage: CaptureStage, behind: number): Promise<void> {
  const head = await headOf(stage.etcd);
  const stop = new AbortController();
  const writing = load(stage.etcd.endpoints, { count: 1e9, perSecond: 500, writers: 64, signal: stop.signal });
  await sleep(1_000);
  const spawned = performance.now();
  // What is written before the watcher starts must not push 100,000 beyond the border of the segments.
  const env = behind <= 100_000 ? { ETCD_OPS_SEGMENTS_REVISIONS_MAX: '150000' } : {};
  await using watcher = await stage.spawn('watcher', env);
  await stage.captured(head, 180_000);
  const seconds = (performance.now() - spawned) / 1_000;
  await sleep(500);
  stop.abort();
  const ways = await Promise.all(
    ['plain', 'segments', 'snapshot'].map(async (way) => [way, await wayCount(watcher, way)]),
  );
  const taken = ways.filter(([, count]) => Number(count) > 0).map(([way, count]) => `${way} x ${count}`);
  say(
    `our watcher, ${behind} behind: ${seconds.toFixed(2)} s with the start of its process, by ${taken.join(', ')}, peak RSS ${watcher.peakMb} MB`,
  );
  sayWriters('our watcher catches up', await writing);
}

async function wayCount(watcher: ServiceProcess, way: string): Promise<number> {
  const text = await fetch(`${watcher.url}/metrics`).then((answer) => answer.text());
  const line = text
    .split('\n')
    .find((one) => one.startsWith('etcdops_watcher_catch_ups_total{') && one.includes(`"${way}"`));
  return Number(line?.slice(line.lastIndexOf(' ') + 1) ?? 0);
}

async function headOf(etcd: LocalEtcd): Promise<number> {
  using member = new EtcdMember(etcd.endpoint, { endpoints: etcd.endpoints });
  return (await member.linearizableRead()).revision;
}

/** Row received to row acknowledged, as the watcher itself measures it, at 5,000 writes/s. */
async function latency(): Promise<void> {
  await using stage = await CaptureStage.open();
  await using watcher = await stage.spawn('watcher');
  const cpuBefore = watcher.cpuSeconds;
  const seconds = Number(process.env['CAPTURE_SECONDS'] ?? 20);
  const written = await load(stage.etcd.endpoints, {
    count: 5_000 * seconds,
    perSecond: 5_000,
    writers: 256,
    valueBytes: VALUE_BYTES,
  });
  await stage.captured(5_000 * seconds + 1);
  const rate = written.latenciesMs.length / written.seconds;
  const cpu = watcher.cpuSeconds - cpuBefore;
  const text = await fetch(`${watcher.url}/metrics`).then((answer) => answer.text());
  const buckets = histogram(text, 'etcdops_watcher_acknowledged_seconds');
  say(
    `${Math.round(rate)} writes/s for ${written.seconds.toFixed(0)} s: etcd's own answer p50 ${ms(percentile(written.latenciesMs, 0.5))}, ` +
      `p99 ${ms(percentile(written.latenciesMs, 0.99))}; row received to acknowledged ` +
      `p50 <= ${bound(buckets, 0.5)}, p99 <= ${bound(buckets, 0.99)}, max <= ${bound(buckets, 1)} (${buckets.at(-1)?.count ?? 0} frames); ` +
      `${((cpu / (5_000 * seconds)) * 1e6).toFixed(1)} us CPU per row; RSS ${watcher.rssMb} MB, peak ${watcher.peakMb} MB`,
  );
}

interface Bucket {
  le: string;
  count: number;
}

function histogram(text: string, name: string): Bucket[] {
  return text.split('\n').flatMap((line) => {
    const match = /le="(?<le>[^"]+)".*\}\s+(?<count>\d+)/.exec(line);
    return line.startsWith(`${name}_bucket{`) && match?.groups !== undefined
      ? [{ le: match.groups['le']!, count: Number(match.groups['count']) }]
      : [];
  });
}

function bound(buckets: readonly Bucket[], share: number): string {
  const total = buckets.at(-1)?.count ?? 0;
  const found = buckets.find(({ count }) => count >= total * share);
  return found === undefined ? '?' : found.le === '+Inf' ? 'more' : ms(Number(found.le) * 1_000);
}

const { version } = await (async () => {
  await using etcd = await startEtcd();
  return { version: etcd.version };
})();
console.log(
  `etcd ${version}, node ${process.version}, ${cpus().length} x ${cpus()[0]?.model}, ${new Date().toISOString()}`,
);
for (let round = 1; round <= ROUNDS; round++) {
  console.log(`--- round ${round}`);
  if (wants('cpu')) await compareCpu();
  if (wants('latency')) await latency();
  if (wants('catch-up')) for (const behind of [100_000, 1_000_000]) await compareCatchUp(behind);
  for (const name of wanted) {
    const behind = Number(/^catch-up=(?<behind>\d+)$/.exec(name)?.groups?.['behind'] ?? 0);
    if (behind > 0) await compareCatchUp(behind);
  }
}
