import {
  versionOfRestore,
  type RestoreRequest,
  type RestoreTarget,
  type RestoreTask,
  type VerifyRequest,
  type VerifyTask,
} from '@etcd-ops/bus';
import { durationMs, EtcdOpsError, parseInitialCluster } from '@etcd-ops/core';
import { changesOf } from './wanted-changes.ts';

/** For a request that names no members: what etcd itself takes when it is started without flags. */
const DEFAULT_MEMBER = 'default';
const DEFAULT_PEER_URL = 'http://localhost:2380';
/** So long a request waits for a restorer of its pool to come. */
const START_WITHIN_MS = 15 * 60_000;
const REMEDY = 'docs/MESSAGES.md lists the fields of each request.';

/** What a task takes over as it is. */
const OPTIONS = [
  'target',
  'destination',
  'allowOlder',
  'skipHashCheck',
  'maxFetchers',
  'leases',
  'bumpRevision',
  'markCompacted',
  'safeBump',
  'clearAlarms',
] as const satisfies (keyof RestoreRequest & keyof RestoreTask)[];
type TaskOptions = Pick<RestoreTask, (typeof OPTIONS)[number] | 'token' | 'leaseUnknownTtlSeconds'>;

type Moment = Pick<
  RestoreRequest,
  'revision' | 'time' | 'snapshot' | 'beforeDelete' | 'prefix' | 'beforeDeletePrefix' | 'timeline' | 'allowOlder'
>;

/** @throws EtcdOpsError USAGE when more than one moment is named. */
export function targetOfRequest(request: Moment): RestoreTarget {
  const { revision, time, snapshot, beforeDelete, prefix, timeline, allowOlder } = request;
  const below = request.beforeDeletePrefix ?? (prefix === true ? beforeDelete : undefined);
  const key = prefix === true ? undefined : beforeDelete;
  if (request.beforeDeletePrefix !== undefined && beforeDelete !== undefined) {
    throw usage('Name beforeDelete or beforeDeletePrefix, not both');
  }
  if (prefix !== undefined && beforeDelete === undefined) {
    throw usage('prefix says what beforeDelete means; name it, too');
  }
  const named = [revision, time, snapshot, key, below].filter((value) => value !== undefined);
  if (named.length > 1) {
    throw usage('Name one of revision, time, snapshot, beforeDelete and beforeDeletePrefix');
  }
  if (named.length > 0 && allowOlder === true) {
    throw usage('allowOlder is for the newest: leave it away, or the moment');
  }
  const onTimeline = timeline === undefined ? {} : { timeline };
  if (revision !== undefined) return { kind: 'revision', revision, ...onTimeline };
  if (time !== undefined) return { kind: 'time', timeMs: Date.parse(time), ...onTimeline };
  if (key !== undefined) return { kind: 'before-delete', key, ...onTimeline };
  if (below !== undefined) return { kind: 'before-delete-prefix', prefix: below, ...onTimeline };
  if (snapshot === undefined) return { kind: 'latest', ...onTimeline };
  if (timeline !== undefined) throw usage('A snapshot is of one timeline already: leave the timeline away');
  return { kind: 'snapshot', key: snapshot };
}

/** Which chains a request means. @throws EtcdOpsError USAGE when it names more than one thing. */
export function scopeOfRequest({ revision, snapshot, all, timeline }: VerifyRequest): VerifyTask['scope'] {
  if ([revision, snapshot, all].filter((value) => value !== undefined).length > 1) {
    throw usage('Name one of revision, snapshot and all');
  }
  const onTimeline = timeline === undefined ? {} : { timeline };
  if (revision !== undefined) return { kind: 'revision', revision, ...onTimeline };
  if (all === true) return { kind: 'all', ...onTimeline };
  if (timeline !== undefined) throw usage('A timeline needs a revision in it, or all');
  return snapshot === undefined ? { kind: 'newest' } : { kind: 'snapshot', key: snapshot };
}

/** The task that a request asks for. @throws EtcdOpsError USAGE naming what does not fit together. */
export function taskOfRequest(request: RestoreRequest, id: string, createdAtMs: number): RestoreTask {
  const initialCluster = request.initialCluster ?? `${DEFAULT_MEMBER}=${DEFAULT_PEER_URL}`;
  const members = new Set(parseInitialCluster(initialCluster).map(({ name }) => name));
  const dataDirs = dataDirsOf(request, members);
  const { cluster, pool = 'any' } = request;
  const { to, options } = settleRequest(request);
  const startWithinMs = request.startWithin === undefined ? START_WITHIN_MS : durationMs(request.startWithin)!;
  const task: Omit<RestoreTask, 'version'> = {
    id,
    kind: 'restore',
    cluster,
    pool,
    requestId: id,
    createdAt: new Date(createdAtMs).toISOString(),
    startBefore: new Date(createdAtMs + startWithinMs).toISOString(),
    to,
    ...options,
    dataDirs,
    initialCluster,
  };
  return { version: versionOfRestore(task), ...task };
}

/**
 * What a request means but for its directories: the moment, and the options as a task holds them.
 * @throws EtcdOpsError USAGE naming what does not fit together.
 */
export function settleRequest(request: RestoreRequest): { to: RestoreTarget; options: TaskOptions } {
  const to = targetOfRequest(request);
  const { leaseUnknownTtlSeconds } = changesOf(request);
  const options: TaskOptions = { token: request.token };
  for (const name of OPTIONS) if (request[name] !== undefined) Object.assign(options, { [name]: request[name] });
  return { to, options: { ...options, ...(leaseUnknownTtlSeconds === undefined ? {} : { leaseUnknownTtlSeconds }) } };
}

function dataDirsOf({ dataDir, dataDirs }: RestoreRequest, members: ReadonlySet<string>): RestoreTask['dataDirs'] {
  if (dataDirs !== undefined && dataDir !== undefined) throw usage('Name dataDir or dataDirs, not both');
  if (dataDirs !== undefined) {
    const stranger = dataDirs.find(({ member }) => !members.has(member));
    if (stranger === undefined) return dataDirs;
    throw usage(`dataDirs names ${stranger.member}, and initialCluster has ${[...members].join(', ')}`);
  }
  if (dataDir === undefined) throw usage('Name the data directory to restore into');
  const [member] = members;
  if (member === undefined || members.size !== 1) {
    throw usage('With several members, say in dataDirs whose directory it is');
  }
  return [{ member, dataDir }];
}

function usage(message: string): EtcdOpsError {
  return new EtcdOpsError('USAGE', { message, remedy: REMEDY });
}
