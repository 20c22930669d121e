import { decodeClusterName, encodeClusterName } from '@etcd-ops/core';

/** Every subject, stream, bucket and durable of etcd-ops is built here and nowhere else (docs/MESSAGES.md). */

export const TASK_KINDS = ['full', 'delta', 'gc', 'merge', 'verify', 'witness', 'defrag', 'restore', 'copy'] as const;
export type TaskKind = (typeof TASK_KINDS)[number];

/** Of these, several may wait for one cluster: their subject ends in the task's id. */
const KINDS_WITH_ID: readonly TaskKind[] = ['restore', 'verify'];

/** The pool that every worker of a kind serves; other pools are labels of hosts. */
export const ANY_POOL = 'any';

export const TASKS_STREAM = 'ETCDOPS_TASKS';
export const DEAD_STREAM = 'ETCDOPS_DEAD';
export const HISTORY_STREAM = 'ETCDOPS_HISTORY';
const EVENTS_STREAM_PREFIX = 'ETCDOPS_EVENTS_';

export const CLUSTERS_BUCKET = 'etcdops_clusters';
export const OWNERS_BUCKET = 'etcdops_owners';
export const STATE_BUCKET = 'etcdops_state';
/** What was asked for over the API, by id. */
export const JOBS_BUCKET = 'etcdops_jobs';

export const TASK_SUBJECTS = 'etcdops.task.>';
export const DEAD_SUBJECTS = 'etcdops.dead.>';
export const DONE_SUBJECTS = 'etcdops.done.>';
export const PROGRESS_SUBJECTS = 'etcdops.progress.>';

/** One token that is legal in subjects, stream names and KV keys, different for each name. */
export const clusterToken = encodeClusterName;

export function eventsStream(cluster: string): string {
  return `${EVENTS_STREAM_PREFIX}${clusterToken(cluster)}`;
}

export function isEventsStream(stream: string): boolean {
  return stream.startsWith(EVENTS_STREAM_PREFIX);
}

export function eventsSubject(cluster: string): string {
  return `etcdops.events.${clusterToken(cluster)}`;
}

export interface TaskAddress {
  id: string;
  kind: TaskKind;
  pool: string;
  cluster: string;
  /** Of a copy: one may wait for each destination of a cluster. */
  destination?: string;
}

/** `etcdops.task.<kind>.<pool>.<cluster>[.<id>|.<destination>]`: the work queue holds one message per subject. */
export function taskSubject(task: TaskAddress): string {
  return `etcdops.task.${task.kind}.${clusterToken(task.pool)}.${clusterToken(task.cluster)}${laneOf(task)}`;
}

/** What tells the tasks of one kind and cluster apart that may wait side by side. */
function laneOf({ kind, id, destination }: Omit<TaskAddress, 'pool' | 'cluster'>): string {
  // A restore names a destination, too: where it reads.
  if (KINDS_WITH_ID.includes(kind)) return `.${clusterToken(id)}`;
  return destination === undefined ? '' : `.${clusterToken(destination)}`;
}

/** The cluster of a subject of the queue, of the history or of the dead letters. */
export function clusterOfTask(subject: string): string | undefined {
  const tokens = subject.split('.');
  return decodeClusterName(tokens[tokens[1] === 'task' ? 4 : 3] ?? '');
}

/** What the workers of a kind and pool pull. Filters on one work queue must not overlap: these never do. */
export function taskFilter(kind: TaskKind, pool: string): string {
  return `etcdops.task.${kind}.${clusterToken(pool)}.>`;
}

/** The durable consumer of a kind; workers of a host's pool have one of their own. */
export function taskDurable(kind: TaskKind, pool: string): string {
  return pool === ANY_POOL ? kind : `${kind}_${clusterToken(pool)}`;
}

export function deadSubject(kind: TaskKind | 'unreadable', cluster: string): string {
  return `etcdops.dead.${kind}.${clusterToken(cluster)}`;
}

export function doneSubject(kind: TaskKind, cluster: string): string {
  return `etcdops.done.${kind}.${clusterToken(cluster)}`;
}

export function progressSubject(kind: TaskKind, cluster: string, id: string): string {
  return `etcdops.progress.${kind}.${clusterToken(cluster)}.${clusterToken(id)}`;
}

/** `etcdops.restore`, `etcdops.snapshot`, ...: the NATS service API. */
export const API_NAME = 'etcdops';
export function apiSubject(endpoint: string): string {
  return `${API_NAME}.${endpoint}`;
}

/** The consumer of the history, and of the dead letters, from which people are told of what they should look at. */
export const NOTIFY_DURABLE = 'notify';

/** KV keys. */
export function clusterKey(cluster: string): string {
  return clusterToken(cluster);
}

/** Beside the clusters' keys in the bucket of owners: no cluster's token has a dot. */
export const WATCHERS_PREFIX = 'watcher.';

/** Where a watcher says that it lives. */
export function watcherKey(watcher: string): string {
  return `${WATCHERS_PREFIX}${clusterToken(watcher)}`;
}

export function positionKey(cluster: string): string {
  return `position.${clusterToken(cluster)}`;
}

/** Each destination of a cluster has copies, and ticks, of its own. */
export function lastDoneKey(kind: TaskKind, cluster: string, destination?: string): string {
  const key = `last.${kind}.${clusterToken(cluster)}`;
  return destination === undefined ? key : `${key}.${clusterToken(destination)}`;
}

/** Kinds of which several may wait for one cluster count the attempts of each task, or at each destination. */
export function attemptKey(task: TaskAddress): string {
  return `attempt.${task.kind}.${clusterToken(task.cluster)}${laneOf(task)}`;
}

export function jobKey(id: string): string {
  return clusterToken(id);
}

/** The stream below a KV bucket. */
export function bucketStream(bucket: string): string {
  return `KV_${bucket}`;
}
