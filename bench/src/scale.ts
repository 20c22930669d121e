/**
 * A fleet of many clusters on one machine: start, steady state, traffic, and the loss of one watcher of three.
 *
 *     node bench/src/scale.ts [--clusters 1000] [--real 3] [--minutes 2] [--traffic-seconds 45] [--replicas 3] [--together 3]
 *
 * All services are processes of their own, as in docker-compose.yml; NATS keeps its store in files; the store is an S3 server that counts;
 * the clusters are a stand-in in one process, and some real etcds. Needs Linux. Appends to bench/results/scale-<date>.txt. docs/SCALING.md.
 */
import { appendFile, mkdir } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { SERVICE_NODE_FLAGS } from '@etcd-ops/local-servers';
import { describeWindow, measureFor, sample } from './scale/measure.ts';
import { sum, until } from './scale/process-facts.ts';
import { RealWrites } from './scale/real-writes.ts';
import { ScaleStage } from './scale/stage.ts';
import { killOneInTheCalm, killOneWatcher, notCaptured, type Takeover } from './scale/takeover.ts';

const { values } = parseArgs({
  options: {
    clusters: { type: 'string', default: '1000' },
    real: { type: 'string', default: '3' },
    minutes: { type: 'string', default: '2' },
    'traffic-seconds': { type: 'string', default: '45' },
    /** Servers of NATS, and copies of each stream. */
    replicas: { type: 'string', default: '1' },
    /** So many processes with all services in each, instead of a process for each service. */
    together: { type: 'string', default: '0' },
    /** Of the services; default as bin/etcd-ops starts them. */
    'node-flags': { type: 'string', default: SERVICE_NODE_FLAGS.join(' ') },
  },
});

/** For all to be watched, and then for all first fulls. */
const START_MS_MAX = 5 * 60_000;
const FULLS_MS_MAX = 3 * 60_000;
/** How long after that the first collections may take. */
const CALM_MS_MAX = 150_000;
const CALM_LOOK_MS = 5_000;
const SETTLE_MS = 15_000;
/** A watcher that is new has its share when nobody has more than this many times as much. */
const SPREAD_SHARE = 1.5;
const SPREAD_MS_MAX = 60_000;
const CAPTURED_MS_MAX = 30_000;

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => stop.abort(new Error(`ended by ${signal}`)));
}
const date = new Date().toISOString().slice(0, 10);
const out = join(import.meta.dirname, '..', 'results', `scale-${date}.txt`);
await mkdir(join(out, '..'), { recursive: true });
try {
  await run();
} catch (error) {
  await say(`FAILED: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}

async function run(): Promise<void> {
  const { signal } = stop;
  const nodeFlags = values['node-flags'].split(' ').filter((flag) => flag !== '');
  const [clusters, real, replicas] = [Number(values.clusters), Number(values.real), Number(values.replicas)];
  const together = Number(values.together);
  await using stage = await ScaleStage.open({ clusters, real, replicas, together, nodeFlags, signal });
  const { services, standIn, s3, nats } = stage;
  await say(
    `${new Date().toISOString()}: ${clusters} clusters of the stand-in, ${real} real ones; NATS ${nats.version} x ${replicas}; ` +
      `${cpus().length} cores, node ${process.version} ${nodeFlags.join(' ')}, load average ${loadavg()[0]!.toFixed(1)}`,
  );
  await delay(3_000, undefined, { signal });
  const empty = services.readings();
  await say(
    `without clusters: rss ${sum(empty.map(({ rssMb }) => rssMb)).toFixed(0)} MB, pss ${sum(empty.map(({ pssMb }) => pssMb)).toFixed(0)} MB`,
  );
  await start(stage);
  await becomeCalm(stage);
  const seconds = Number(values.minutes) * 60;
  if (seconds > 0) {
    await say(`idle, ${seconds} s, load average ${loadavg()[0]!.toFixed(1)}:`);
    await sayAll(describeWindow(await measureFor(stage, seconds), stage.clusters));
  }
  await loseOneInTheCalm(stage);
  const trafficSeconds = Number(values['traffic-seconds']);
  if (trafficSeconds > 0) {
    await standIn.ask({ writesPerSecond: clusters });
    await delay(SETTLE_MS, undefined, { signal });
    await say(`one write a second to each cluster of the stand-in, ${trafficSeconds} s:`);
    await sayAll(describeWindow(await measureFor(stage, trafficSeconds), stage.clusters));
  }
  await standIn.ask({ writesPerSecond: clusters });
  const { clusters: orphans, capturedMs, lost, window, revisions } = await loseOneWatcher(stage);
  const at = (share: number): string =>
    ((capturedMs[Math.min(capturedMs.length - 1, Math.floor(capturedMs.length * share))] ?? NaN) / 1_000).toFixed(1);
  await say(
    `one watcher killed, it captured ${orphans} clusters: captured again after p50 ${at(0.5)} s, p99 ${at(0.99)} s, ` +
      `the last after ${at(1)} s; never: ${lost.length === 0 ? 'none' : lost.join(', ')}`,
  );
  await sayAll(describeWindow(window, stage.clusters));
  const missing = await notCaptured(stage, revisions, CAPTURED_MS_MAX);
  await say(
    `clusters whose last revision was not captured ${CAPTURED_MS_MAX / 1_000} s after the last write: ${missing.length === 0 ? 'none' : missing.join(', ')}`,
  );
  const unhappy = await services.stop();
  await say(`ended by SIGTERM: ${unhappy.length === 0 ? 'all well' : unhappy.join(', ')}`);
  const { refused } = await s3.ask({});
  await say(`store requests refused: ${JSON.stringify(refused)}`);
  for (const [said, times] of await services.complaints()) await say(`${times} times: ${said}`);
}

/** Another one takes the place of the lost one, or the windows behind would be of a fleet that is one short. */
async function loseOneInTheCalm(stage: ScaleStage): Promise<void> {
  const { services, signal } = stage;
  const { pid, clusters, halfMs, nearlyAllMs, allMs } = await killOneInTheCalm(stage);
  const at = (ms: number | undefined): string => (ms === undefined ? 'not in time' : `${(ms / 1_000).toFixed(1)} s`);
  await say(
    `one watcher killed in the calm, it watched ${clusters} stand-ins: half are watched again after ${at(halfMs)}, ` +
      `99 of 100 after ${at(nearlyAllMs)}, all after ${at(allMs)}`,
  );
  await services.startAgain(pid);
  const isSpread = async (): Promise<boolean> => {
    const counts = (await services.owned()).map((one) => one.clusters.length);
    return counts.at(-1)! * SPREAD_SHARE >= counts[0]!;
  };
  await until(isSpread, { timeoutMs: SPREAD_MS_MAX, message: () => '', signal }).catch(() => signal.throwIfAborted());
}

/** The real etcds are written to as well: who captures an etcd to which nothing is written does not show. */
async function loseOneWatcher(stage: ScaleStage): Promise<Takeover & { revisions: readonly number[] }> {
  await using writes = new RealWrites(stage.etcds);
  return { ...(await killOneWatcher(stage)), revisions: writes.revisions };
}

async function start(stage: ScaleStage): Promise<void> {
  const { standIn, s3, services, clusters, signal } = stage;
  services.forgetPeaks();
  const before = await sample(stage);
  const begun = performance.now();
  const since = (): string => `${((performance.now() - begun) / 1_000).toFixed(1)} s`;
  await stage.register();
  await say(`registered after ${since()}`);
  const standIns = clusters - stage.etcds.length;
  await until(async () => (await standIn.ask({})).watched >= standIns, {
    timeoutMs: START_MS_MAX,
    message: () => 'not all clusters are watched',
    signal,
  });
  await say(`all are watched after ${since()}`);
  let found = 0;
  const haveAll = async (): Promise<boolean> => (found = (await s3.ask({ suffix: '.db.json' })).found) >= clusters;
  // A machine that is slow or busy goes on with what it has.
  await until(haveAll, { timeoutMs: FULLS_MS_MAX, message: () => 'no', signal }).catch(() => signal.throwIfAborted());
  await say(`${found} of ${clusters} have their first full after ${since()}`);
  const after = await sample(stage);
  await say('since the registration:');
  await sayAll(describeWindow({ from: before, to: after, seconds: (performance.now() - begun) / 1_000 }, clusters));
}

/** First collections, and what else comes once behind the first full. */
async function becomeCalm({ s3, clusters, signal }: ScaleStage): Promise<void> {
  const begun = performance.now();
  const requests = async (): Promise<number> => sum(Object.values((await s3.ask({})).requests));
  for (let before = await requests(), calm = 0; calm < 2 && performance.now() - begun < CALM_MS_MAX;) {
    await delay(CALM_LOOK_MS, undefined, { signal });
    const now = await requests();
    calm = now - before <= clusters / 100 ? calm + 1 : 0;
    before = now;
  }
  await say(`the store is left alone ${((performance.now() - begun) / 1_000).toFixed(0)} s later`);
}

async function sayAll(lines: readonly string[]): Promise<void> {
  for (const line of lines) await say(line);
}

async function say(line: string): Promise<void> {
  process.stdout.write(`${line}\n`);
  await appendFile(out, `${line}\n`);
}
