import { EtcdOpsError } from '@etcd-ops/core';
import {
  DiscardPolicy,
  nanos,
  RetentionPolicy,
  StorageType,
  type JetStreamManager,
  type StreamConfig,
  type StreamUpdateConfig,
} from 'nats';
import { setTimeout as delay } from 'node:timers/promises';
import { API_ERROR, isApiError, isDefiniteRefusal, toBusError } from './bus-error.ts';
import type { Bus } from './connection.ts';
import {
  bucketStream,
  CLUSTERS_BUCKET,
  DEAD_STREAM,
  DEAD_SUBJECTS,
  DONE_SUBJECTS,
  eventsStream,
  isEventsStream,
  eventsSubject,
  HISTORY_STREAM,
  JOBS_BUCKET,
  OWNERS_BUCKET,
  STATE_BUCKET,
  TASK_SUBJECTS,
  TASKS_STREAM,
} from './names.ts';
import { isOfLaterTopology, topologyMarker } from './topology-version.ts';

/** What an account holds; `all` where one account is all there is. */
export type TopologyPart = 'all' | 'core' | 'ops';

export interface TopologyOptions {
  /** Default `all`. */
  part?: TopologyPart;
  /** Copies of each stream; 1 for a single server, 3 for a cluster. */
  replicas?: number;
  /** Limits of the fixed streams in bytes. The server reserves them, so they are small. */
  tasksBytesMax?: number;
  deadBytesMax?: number;
  historyBytesMax?: number;
  bucketBytesMax?: number;
}

const MIB = 1024 * 1024;
const DAY_MS = 86_400_000;
/** A second scheduler's clock may be this much off and its tick is still recognised. */
const DUPLICATE_WINDOW_MS = 120_000;
/** A watcher that has said nothing for so long is gone: it says each 1.5 s that it lives. Whoever vanished is replaced within 10 s. */
export const WATCHER_SILENCE_MS = 4_000;
/** What an owner's key lives without being renewed; where the fleet is large, an owner renews the more seldom the more it owns. */
export const OWNER_TTL_MS = 20_000;
/** How long `etcdops.job` knows of what was asked for. */
const JOBS_AGE_MS = 7 * DAY_MS;
const TRIES_MAX = 5;
/** The leader of nodes that have just come up, or back, does not count on all of them at once. */
const PEERS_WAIT_MS = 30_000;
const PEERS_PAUSE_MS = 500;

type Config = Partial<StreamConfig> & { name: string };

/** Creates the work queue, the dead letters, the history and the buckets, or compares them with what is there. */
export async function ensureTopology(bus: Bus, options: TopologyOptions = {}): Promise<void> {
  const configs = [...queueConfigs(options), ...bucketConfigs(options)];
  for (const config of configs) await ensureStream(bus, config);
}

function queueConfigs(options: TopologyOptions): Config[] {
  const replicas = options.replicas ?? 1;
  return [
    {
      ...stream(TASKS_STREAM, [TASK_SUBJECTS], replicas, options.tasksBytesMax ?? 32 * MIB),
      retention: RetentionPolicy.Workqueue,
      max_msgs_per_subject: 1,
      discard: DiscardPolicy.New,
      discard_new_per_subject: true,
      duplicate_window: nanos(DUPLICATE_WINDOW_MS),
    },
    {
      ...stream(DEAD_STREAM, [DEAD_SUBJECTS], replicas, options.deadBytesMax ?? 32 * MIB),
      discard: DiscardPolicy.Old,
      max_msgs_per_subject: 100,
      max_age: nanos(90 * DAY_MS),
    },
    {
      ...stream(HISTORY_STREAM, [DONE_SUBJECTS], replicas, options.historyBytesMax ?? 64 * MIB),
      discard: DiscardPolicy.Old,
      max_age: nanos(90 * DAY_MS),
    },
  ];
}

/** Restores are asked for, queued and recorded in `ops`: there it needs the states of their tasks, and no clusters. */
function bucketConfigs(options: TopologyOptions): Config[] {
  const replicas = options.replicas ?? 1;
  const bytesMax = options.bucketBytesMax ?? 32 * MIB;
  const clusters = bucket(CLUSTERS_BUCKET, replicas, bytesMax, 5);
  const owners = {
    ...bucket(OWNERS_BUCKET, replicas, bytesMax, 1),
    max_age: nanos(OWNER_TTL_MS),
    duplicate_window: nanos(OWNER_TTL_MS),
  };
  const state = bucket(STATE_BUCKET, replicas, bytesMax, 1);
  const jobs = { ...bucket(JOBS_BUCKET, replicas, bytesMax, 1), max_age: nanos(JOBS_AGE_MS) };
  switch (options.part ?? 'all') {
    case 'all':
      return [clusters, owners, state, jobs];
    case 'core':
      return [clusters, owners, state];
    case 'ops':
      return [state, jobs];
  }
}

export interface EventStreamOptions {
  /** Bytes that the stream may hold before it pushes back on the watcher. The server reserves them. */
  bytesMax: number;
  replicas?: number;
}

/** Creates the event stream of a cluster, or adjusts its limit. Belongs to whoever registers clusters, not to the watcher. */
export async function ensureEventStream(bus: Bus, cluster: string, options: EventStreamOptions): Promise<void> {
  await ensureStream(bus, {
    ...stream(eventsStream(cluster), [eventsSubject(cluster)], options.replicas ?? 1, options.bytesMax),
    // Full means: refuse, so that nothing acknowledged is ever dropped; the watcher waits.
    discard: DiscardPolicy.New,
    allow_direct: true,
  });
}

/** Removes the event stream of a cluster that is no longer under care. */
export async function removeEventStream(bus: Bus, cluster: string): Promise<void> {
  const jsm = await bus.slowJsm();
  try {
    await jsm.streams.delete(eventsStream(cluster));
  } catch (error) {
    if (isApiError(error, API_ERROR.streamNotFound)) return;
    throw toBusError(error, `Removing the event stream of ${cluster}`);
  }
}

function stream(name: string, subjects: string[], replicas: number, bytesMax: number): Config {
  return {
    name,
    subjects,
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    max_bytes: bytesMax,
    num_replicas: replicas,
    discard_new_per_subject: false,
    description: topologyMarker(),
  };
}

/** What the client's KV makes, but without direct gets: a replica would answer them, with stale values. */
function bucket(name: string, replicas: number, bytesMax: number, history: number): Config {
  return {
    ...stream(bucketStream(name), [`$KV.${name}.>`], replicas, bytesMax),
    discard: DiscardPolicy.New,
    max_msgs_per_subject: history,
    allow_rollup_hdrs: true,
    deny_delete: true,
    allow_direct: false,
  };
}

/** What may be changed in an existing stream without touching its messages. */
const ADJUSTABLE = [
  'description',
  'max_bytes',
  'max_age',
  'max_msgs_per_subject',
  'duplicate_window',
  'allow_direct',
  'num_replicas',
] as const;
/** What people choose, and no version. */
const CHOSEN: readonly (keyof StreamConfig)[] = ['num_replicas'];
const CHOSEN_OF_EVENTS: readonly (keyof StreamConfig)[] = [...CHOSEN, 'max_bytes'];
const ESSENTIAL = ['retention', 'storage', 'discard', 'discard_new_per_subject', 'allow_rollup_hdrs'] as const;

async function ensureStream(bus: Bus, config: Config): Promise<void> {
  const jsm = await bus.jsm();
  const peersUntilMs = performance.now() + PEERS_WAIT_MS;
  for (let attempt = 1; ; attempt++) {
    try {
      const echoed = (await streamConfig(jsm, config.name)) ?? (await jsm.streams.add({ ...config })).config;
      await compareOrAdjust(jsm, config, echoed);
      return;
    } catch (error) {
      // With a node down a creation times out although the object appears later: read again and decide then.
      const raced = isApiError(error, API_ERROR.streamNameInUse);
      if (isApiError(error, API_ERROR.noPeers) && performance.now() < peersUntilMs) {
        attempt = 0;
        await delay(PEERS_PAUSE_MS);
        continue;
      }
      const final = (isDefiniteRefusal(error) && !raced) || error instanceof EtcdOpsError;
      if (final || attempt >= TRIES_MAX) throw toBusError(error, `Preparing the stream ${config.name}`);
      await delay(attempt * 100);
    }
  }
}

async function streamConfig(jsm: JetStreamManager, name: string): Promise<StreamConfig | undefined> {
  try {
    return (await jsm.streams.info(name)).config;
  } catch (error) {
    if (isApiError(error, API_ERROR.streamNotFound)) return undefined;
    throw error;
  }
}

/** Old servers ignore what they do not know, silently: only the configuration that the server echoes counts. */
async function compareOrAdjust(jsm: JetStreamManager, wanted: Config, echoed: StreamConfig): Promise<void> {
  const isNewer = isOfLaterTopology(echoed);
  const chosen = isEventsStream(wanted.name) ? CHOSEN_OF_EVENTS : CHOSEN;
  if (!isNewer) assertEssentials(wanted, echoed);
  const changes: Partial<StreamUpdateConfig> = {};
  for (const field of ADJUSTABLE) {
    if (isNewer && !chosen.includes(field)) continue;
    if (wanted[field] !== undefined && wanted[field] !== (echoed[field] ?? false)) {
      Object.assign(changes, { [field]: wanted[field] });
    }
  }
  if (Object.keys(changes).length === 0) return;
  const adjusted = (await jsm.streams.update(wanted.name, changes)).config;
  if (!isNewer) assertEssentials(wanted, adjusted);
  for (const field of Object.keys(changes) as (typeof ADJUSTABLE)[number][]) {
    if ((adjusted[field] ?? false) !== wanted[field]) throw differs(wanted, field, adjusted[field]);
  }
}

function assertEssentials(wanted: Config, echoed: StreamConfig): void {
  for (const field of ESSENTIAL) {
    if (wanted[field] === undefined || (echoed[field] ?? false) === wanted[field]) continue;
    throw differs(wanted, field, echoed[field]);
  }
  if (echoed.subjects.join(' ') !== wanted.subjects?.join(' ')) throw differs(wanted, 'subjects', echoed.subjects);
}

function differs(wanted: Config, field: keyof StreamConfig, found: unknown): EtcdOpsError {
  const values = `${field} is ${JSON.stringify(found)} and must be ${JSON.stringify(wanted[field])}`;
  return new EtcdOpsError('BUS_FAILED', {
    message: `The stream ${wanted.name} is not as etcd-ops needs it: ${values}`,
    remedy: 'Remove the stream, or run nats-server 2.9 or newer.',
  });
}
