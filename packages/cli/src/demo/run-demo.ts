import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { EtcdOpsError, isEtcdOpsError } from '@etcd-ops/core';
import { emitJson, emitText } from '../output/emit.ts';
import { CaptureMeter } from './capture-meter.ts';
import { proveFork, type ForkResult } from './fork.ts';
import { Load } from './load.ts';
import { readLivingState, type LivingState } from './living-state.ts';
import { Narrator } from './narrator.ts';
import { Operator } from './operator.ts';
import { DEMO_CLUSTER, Stage, type RunningEtcd } from './stage.ts';
import { renderReport, type DemoReport } from './report.ts';
import { restoreAndCompare, type RestoreResult } from './restored.ts';
import { formatBytes, formatCount } from '../output/table.ts';
import { readBackStore } from './read-back.ts';
import type { Daemon } from '../daemon/start-daemon.ts';

export interface DemoOptions {
  keep?: boolean;
  etcdVersion?: string;
  seed: number;
  output: 'table' | 'json';
}

const REQUESTS_BEFORE = 1_200;
const REQUESTS_DURING_MAX = 1_000_000;
const REQUESTS_AFTER = 150;
const LAG_SAMPLE_PERIOD_MS = 100;
/** The first deltas are cut, the cluster is compacted, and more deltas follow within this time. */
const STREAMING_MS = 3_500;

/** What the living cluster said before it was lost. */
interface Testimony {
  beforeMistake: LivingState;
  newest: LivingState;
  deleted: number;
}

/**
 * The whole promise on a real etcd. Nothing here is staged for the services: they see a cluster, a loss and
 * a cluster that returns, as they would in production.
 * @throws EtcdOpsError PROOF_FAILED when anything that was restored differs from what the living cluster had said.
 */
export async function runDemo(options: DemoOptions): Promise<void> {
  const narrator = new Narrator(options.output === 'json' ? process.stderr : process.stdout);
  await using stage = await Stage.set({ etcdVersion: options.etcdVersion, keep: options.keep ?? false });
  const interrupt = interruption();
  try {
    await Promise.race([tell(stage, narrator, options), interrupt.happened]);
  } catch (error) {
    const log = isEtcdOpsError(error, 'CANCELLED') ? undefined : await stage.saveLog();
    if (log !== undefined) narrator.line(`    the log of the services: ${log}`);
    throw error;
  } finally {
    interrupt.forget();
  }
}

/** Rejects at Ctrl-C or SIGTERM, so that whatever runs is stopped and removed on the way out. */
function interruption(): { happened: Promise<never>; forget(): void } {
  const { promise: happened, reject } = Promise.withResolvers<never>();
  happened.catch(() => {});
  const onSignal = (signal: NodeJS.Signals): void =>
    reject(new EtcdOpsError('CANCELLED', { message: `The demo was ended by ${signal}` }));
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  return { happened, forget: () => void process.off('SIGINT', onSignal).off('SIGTERM', onSignal) };
}

async function tell(stage: Stage, narrator: Narrator, options: DemoOptions): Promise<void> {
  const living = await narrator.step(
    'A real etcd starts',
    () => stage.startAtHome(),
    ({ etcd }) => `etcd ${etcd.version}`,
  );
  const load = new Load(living.client, options.seed);

  narrator.chapter('Capture');
  const { daemon, meter, operator } = await capture(stage, narrator, living, load);
  const testimony = await makeTheMistake(narrator, living, load);

  narrator.chapter('Loss');
  await loseTheCluster(narrator, stage, living, meter, testimony);
  await narrator.step('What was captured becomes a last delta', () =>
    operator.flushDeltas(1, testimony.newest.revision),
  );

  narrator.chapter('Restore');
  const results = [
    await restoreAndCompare({
      stage,
      narrator,
      operator,
      title: 'the newest state',
      name: 'newest',
      living: testimony.newest,
    }),
    await restoreAndCompare({
      stage,
      narrator,
      operator,
      title: 'the moment before the mistake',
      name: 'before',
      living: testimony.beforeMistake,
      revision: testimony.beforeMistake.revision,
    }),
  ];

  narrator.chapter('Life goes on');
  const lag = meter.lag();
  meter.stop();
  await narrator.step('The services are stopped', () => daemon.stop());
  const { result: fork, daemon: restarted } = await proveFork({
    stage,
    narrator,
    dataDir: results[1]!.dataDir,
    captured: testimony.newest.revision,
  });
  const store = await narrator.step(
    'Every stored byte is read back and checked',
    () => readBackStore(stage.backups),
    (facts) => {
      return `${facts.fulls} fulls, ${facts.deltas} deltas, ${formatBytes(facts.bytes)}`;
    },
  );

  const report: DemoReport = {
    etcdVersion: living.etcd.version,
    seed: options.seed,
    load: load.totals,
    lag,
    store,
    restores: results,
    fork,
    equal: [...results, fork].every((result) => result.equal),
    totalMs: Math.round(narrator.elapsedMs),
  };
  if (options.output === 'json') emitJson(report);
  else emitText(`\n${renderReport(report)}`);
  if (!report.equal) throw unequal([...results, fork]);
  if (options.keep === true) await leaveRunning(stage, restarted, narrator);
}

async function capture(
  stage: Stage,
  narrator: Narrator,
  living: RunningEtcd,
  load: Load,
): Promise<{ daemon: Daemon; meter: CaptureMeter; operator: Operator }> {
  await narrator.step(
    'It is used before anybody thinks of a backup',
    async () => {
      await load.foundation();
      await load.run({ requests: REQUESTS_BEFORE });
    },
    () => `${formatCount(load.totals.events)} events, ${formatBytes(load.totals.bytes)}`,
  );
  const background = new AbortController();
  const writing = load.run({ requests: REQUESTS_DURING_MAX, signal: background.signal });
  // Awaited below; a failure before that must not count as unhandled.
  writing.catch(() => {});
  try {
    const daemon = await narrator.step('NATS and the six services start, the load goes on', () => stage.startDaemon());
    const meter = new CaptureMeter(daemon.bus, DEMO_CLUSTER);
    const operator = new Operator(daemon.bus, DEMO_CLUSTER);
    const sampling = setInterval(() => meter.sample(load.totals.revision), LAG_SAMPLE_PERIOD_MS);
    try {
      await narrator.step('A full snapshot and deltas are made meanwhile', () => streamFor(STREAMING_MS, load));
      await narrator.step('The cluster compacts its history', () => load.compact(load.totals.revision - 500));
      await narrator.step('Another full, while events keep coming', () => operator.takeFull());
      await narrator.step('More deltas follow', () => streamFor(STREAMING_MS, load));
    } finally {
      clearInterval(sampling);
    }
    background.abort();
    await writing;
    await narrator.step(
      'The capture has caught up',
      () => meter.reached(load.totals.revision),
      () => `revision ${formatCount(load.totals.revision)}`,
    );
    return { daemon, meter, operator };
  } finally {
    background.abort();
  }
}

/** Lets the load run for a while; fails at once when it has died. */
async function streamFor(ms: number, load: Load): Promise<void> {
  const before = load.totals.requests;
  await new Promise((resolve) => setTimeout(resolve, ms));
  if (load.totals.requests === before) {
    throw new EtcdOpsError('ETCD_FAILED', { message: 'The load made no request any more' });
  }
}

async function makeTheMistake(narrator: Narrator, living: RunningEtcd, load: Load): Promise<Testimony> {
  const revision = load.totals.revision;
  const beforeMistake = await narrator.step(
    'The living cluster is asked for everything it knows',
    () => readLivingState(living.client, living.member, revision),
    (state) => `${formatCount(state.keys.size)} keys, ${state.leases.size} leases, HashKV ${state.hash}`,
  );
  const mistake = await narrator.step(
    'Somebody deletes a prefix by mistake',
    () => load.makeTheMistake(),
    ({ deleted }) => `${deleted} keys gone at one stroke`,
  );
  if (mistake.revision !== revision + 1) {
    throw new EtcdOpsError('ETCD_FAILED', {
      message: `The cluster was not quiet: revision ${mistake.revision} follows ${revision}`,
    });
  }
  await load.run({ requests: REQUESTS_AFTER });
  const newest = await narrator.step(
    'Life goes on for a moment; it is asked again',
    () => readLivingState(living.client, living.member, load.totals.revision),
    (state) => `${formatCount(state.keys.size)} keys, HashKV ${state.hash}`,
  );
  return { beforeMistake, newest, deleted: mistake.deleted };
}

async function loseTheCluster(
  narrator: Narrator,
  stage: Stage,
  living: RunningEtcd,
  meter: CaptureMeter,
  { newest }: Testimony,
): Promise<void> {
  await narrator.step('The last events reach the stream', () => meter.reached(newest.revision));
  await narrator.step('etcd is killed with SIGKILL and its data removed', async () => {
    await living.etcd.kill();
    await rm(stage.home.dataDir, { recursive: true });
    living.client.close();
  });
}

function unequal(results: readonly (RestoreResult | ForkResult)[]): EtcdOpsError {
  const differences = results.flatMap((result) =>
    result.differences.map((difference) => `${result.title}: ${difference}`),
  );
  return new EtcdOpsError('PROOF_FAILED', {
    message: `What was restored is not what the living cluster had said:\n  ${differences.join('\n  ')}`,
  });
}

/** With --keep: says what there is to play with and waits for Ctrl-C. */
async function leaveRunning(stage: Stage, daemon: Daemon, narrator: Narrator): Promise<void> {
  const repository = `--bucket ${stage.backups} --cluster-name ${DEMO_CLUSTER}`;
  narrator.chapter('Everything goes on until Ctrl-C. To play with, from another terminal:');
  narrator.line(
    `  etcdctl --endpoints http://127.0.0.1:${stage.home.clientPort} get --prefix --keys-only --limit 5 /registry`,
  );
  narrator.line(`  bin/etcd-ops list ${repository}`);
  narrator.line(`  bin/etcd-ops status --state-dir ${stage.stateDir}`);
  narrator.line(`  bin/etcd-ops restore ${repository} --data-dir ${join(stage.root, 'mine.etcd')}`);
  narrator.line(`  curl http://127.0.0.1:${daemon.httpPort}/metrics`);
  narrator.line(`  tail -f ${stage.logFile}`);
  // Ctrl-C ends it, as everywhere in the demo.
  await daemon.ended;
}
