import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import {
  callApi,
  connectBus,
  dispatchTask,
  lastDone,
  lastDoneKey,
  lastEvent,
  readConnectionFile,
  snapshotAnswerSchema,
  type Bus,
  type ClusterSpec,
  type LastDone,
} from '@etcd-ops/bus';
import {
  describeError,
  ERROR_CODES,
  EtcdOpsError,
  isEtcdOpsError,
  readInventory,
  type ErrorCode,
  openStore,
} from '@etcd-ops/core';
import { EtcdCluster } from '@etcd-ops/etcd-client';
import { etcdAccess, type Logger } from '@etcd-ops/service-kit';
import { emitJson, emitText } from '../output/emit.ts';
import { formatBytes, formatCount, renderTable } from '../output/table.ts';
import type { ProgressLine } from '../output/progress-line.ts';
import { flush } from './final-delta.ts';
import { followProgress } from './follow-progress.ts';
import { startDaemon, type NatsAccess } from './start-daemon.ts';

const POLL_MS = 50;
/** How long the watch may take to come as far as the full; what is missing then, the next run makes up for. */
const CATCH_UP_TIMEOUT_MS = 30_000;
const GRACE_MS = 60_000;
const FIRST_FULL_GRACE_MS = 10_000;

export interface OnceOptions {
  stateDir: string;
  cluster: ClusterSpec;
  nats: NatsAccess | undefined;
  logger: Logger;
  output: 'table' | 'json';
  progress: ProgressLine;
  signal: AbortSignal;
}

/**
 * One full, and the changes since the last backup as deltas, so that no revision between two runs is lost. Where a daemon runs on the
 * state directory, it is asked for the full.
 * @throws EtcdOpsError ETCD_* when the cluster cannot be asked, else the failure of the full.
 */
export async function runOnce(options: OnceOptions): Promise<void> {
  const { cluster, logger, nats, stateDir } = options;
  const head = await readHead(cluster, options.signal);
  const services = head !== undefined && cluster.snapshots.deltaPeriodMs > 0 ? 'capture' : 'full';
  const running = nats === undefined ? await readConnectionFile(stateDir) : undefined;
  if (running !== undefined) {
    logger.info({ cluster: cluster.name, stateDir }, 'A daemon runs here: it is asked for the full');
    const bus = await connectBus({ url: running.url, token: running.token, name: 'etcd-ops snapshot --once' });
    try {
      using _ = followProgress(bus, cluster.name, options.progress);
      const done = await fullDone(bus, head, options, async () => {
        const request = { cluster: cluster.name, kind: 'full' };
        return (await callApi(bus, 'snapshot', request, { answer: snapshotAnswerSchema })).outcome;
      });
      return emit(cluster.name, done, options.output);
    } finally {
      await bus.close();
    }
  }
  const http = { host: '127.0.0.1', port: 0 };
  await using daemon = await startDaemon({
    stateDir,
    clusters: [cluster],
    services,
    restoreRoots: [],
    logger,
    http,
    nats,
  });
  const { bus } = daemon;
  using _ = followProgress(bus, cluster.name, options.progress);
  const work = async (): Promise<LastDone> => {
    const isFirst = services === 'capture' && (await hasNoFull(cluster));
    // The deltas come first: what the full would hold alone can be compacted away before the next one.
    if (services === 'capture' && !isFirst && (await caughtUp(bus, cluster.name, head!, options))) {
      await flush(bus, cluster.name).catch((error: unknown) =>
        logger.warn({ cluster: cluster.name, reason: describeError(error) }, 'No delta could be made before the full'),
      );
    }
    const done = await fullDone(bus, head, options, askUnlessFirst(bus, cluster.name, isFirst));
    if (services === 'capture') await caughtUp(bus, cluster.name, Number(done.summary['revision'] ?? 0), options);
    return done;
  };
  const ended = daemon.ended.then(() => Promise.reject(new Error('The services ended before the full was there')));
  const done = await Promise.race([work(), ended]);
  // Stopping flushes what was captured.
  await daemon.stop();
  emit(cluster.name, done, options.output);
}

/** A watcher that begins a history asks for its first full itself: a second one would be the same. */
function askUnlessFirst(bus: Bus, cluster: string, isFirst: boolean): () => Promise<string> {
  const startedMs = performance.now();
  return async () => {
    if (isFirst && performance.now() - startedMs < FIRST_FULL_GRACE_MS) return 'left to the watcher';
    return await askFull(bus, cluster);
  };
}

async function hasNoFull(cluster: ClusterSpec): Promise<boolean> {
  const inventory = await readInventory(await openStore(cluster.store), cluster.name);
  return inventory.timelines.every(({ fulls }) => fulls.length === 0);
}

/**
 * The revision of the cluster's head; undefined for a cluster without a quorum from which a stale full is wanted.
 * @throws EtcdOpsError when it cannot be read.
 */
async function readHead(cluster: ClusterSpec, signal: AbortSignal): Promise<number | undefined> {
  await using etcd = await EtcdCluster.connect(etcdAccess(cluster), { signal });
  try {
    const member = await etcd.pickForWatch({ signal });
    return (await member.linearizableRead({ signal })).revision;
  } catch (error) {
    if (cluster.snapshots.allowStale === true && isEtcdOpsError(error) && error.retriable) return undefined;
    throw error;
  }
}

async function askFull(bus: Bus, cluster: string): Promise<string> {
  const createdAt = new Date().toISOString();
  return await dispatchTask(bus, { version: 1, id: randomUUID(), kind: 'full', cluster, cause: 'request', createdAt });
}

/**
 * A full that reaches the head that was read when this call began. One that was under way by then may end before it: that is
 * another's, and when it made the queue refuse ours, ours is asked for again.
 */
async function fullDone(
  bus: Bus,
  head: number | undefined,
  options: OnceOptions,
  ask: () => Promise<string>,
): Promise<LastDone> {
  const { cluster, signal } = options;
  const before = await newestFull(bus, cluster.name);
  const deadline = performance.now() + cluster.timeouts.snapshotMs + GRACE_MS;
  let accepted = false;
  for (;;) {
    accepted ||= (await ask()) === 'accepted';
    await delay(POLL_MS, undefined, { signal }).catch((error: unknown) => {
      throw new EtcdOpsError('CANCELLED', { message: 'The full was not awaited', cause: error });
    });
    const done = await newestFull(bus, cluster.name);
    if (done !== undefined && done.taskId !== before?.taskId) {
      if (done.ok && reaches(done, head, cluster)) return done;
      const failure = done.ok ? undefined : asFailure(cluster.name, done);
      // The watcher notices the fork too, begins a new timeline, and asks for the full of that.
      if (failure !== undefined && failure.code !== 'CLUSTER_FORKED') throw failure;
    }
    if (performance.now() > deadline) {
      throw new EtcdOpsError('ETCD_TIMEOUT', { message: `No full of ${cluster.name} was there in time` });
    }
  }
}

/** What a stale member answers may end anywhere. */
function reaches({ summary }: LastDone, head: number | undefined, { snapshots }: ClusterSpec): boolean {
  return head === undefined || snapshots.allowStale === true || Number(summary['revision']) >= head;
}

async function newestFull(bus: Bus, cluster: string): Promise<LastDone | undefined> {
  return (await lastDone(bus).get(lastDoneKey('full', cluster)))?.value;
}

/** The failure that the worker recorded, with its own code. */
function asFailure(cluster: string, { summary }: LastDone): EtcdOpsError {
  const failure = (summary['failure'] ?? {}) as { code?: string; message?: string };
  const code: ErrorCode =
    failure.code !== undefined && Object.hasOwn(ERROR_CODES, failure.code)
      ? (failure.code as ErrorCode)
      : 'ETCD_FAILED';
  return new EtcdOpsError(code, {
    message: `No full of ${cluster} was stored: ${failure.message ?? 'no reason is recorded'}`,
  });
}

/** Until everything up to `revision` is in the event stream; what is missing then, the next run goes on with. */
async function caughtUp(bus: Bus, cluster: string, revision: number, options: OnceOptions): Promise<boolean> {
  const { logger, signal } = options;
  const deadline = performance.now() + CATCH_UP_TIMEOUT_MS;
  while (!signal.aborted && performance.now() < deadline) {
    const event = await lastEvent(bus, cluster);
    if (event !== undefined && event.last >= revision) return true;
    await delay(POLL_MS);
  }
  logger.warn(
    { cluster, revision },
    'The changes up to here were not captured in time; the next run goes on with them',
  );
  return false;
}

function emit(cluster: string, { summary }: LastDone, output: 'table' | 'json'): void {
  if (output === 'json') return emitJson({ cluster, full: summary });
  const { key, revision, timeline, bytes } = summary;
  const rows = [
    ['full', String(key)],
    ['revision', `${formatCount(Number(revision))} of timeline ${String(timeline)}`],
    ['stored', formatBytes(Number(bytes))],
  ];
  emitText(renderTable(['what', cluster], rows));
}
