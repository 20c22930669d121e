import type { RestoreRequest, RestoreTarget, RestoreTask, VerifyRequest, VerifyTask } from '@etcd-ops/bus';
import { EtcdOpsError, parseInitialCluster } from '@etcd-ops/core';

/** For a request that names no members: what etcd itself takes when it is started without flags. */
const DEFAULT_MEMBER = 'default';
const DEFAULT_PEER_URL = 'http://localhost:2380';

type Moment = Pick<RestoreRequest, 'revision' | 'time' | 'snapshot' | 'timeline'>;

/** @throws EtcdOpsError USAGE when more than one moment is named. */
export function targetOfRequest({ revision, time, snapshot, timeline }: Moment): RestoreTarget {
  const named = [revision, time, snapshot].filter((value) => value !== undefined);
  if (named.length > 1) throw usage('Name one of revision, time and snapshot');
  const onTimeline = timeline === undefined ? {} : { timeline };
  if (revision !== undefined) return { kind: 'revision', revision, ...onTimeline };
  if (time !== undefined) return { kind: 'time', timeMs: Date.parse(time), ...onTimeline };
  if (snapshot !== undefined) return { kind: 'snapshot', key: snapshot };
  if (timeline !== undefined) throw usage('A timeline needs a revision or a time in it');
  return { kind: 'latest' };
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
  const { cluster, pool = 'any', token, target, leaseUnknownTtlSeconds, skipHashCheck } = request;
  const initialCluster = request.initialCluster ?? `${DEFAULT_MEMBER}=${DEFAULT_PEER_URL}`;
  const members = new Set(parseInitialCluster(initialCluster).map(({ name }) => name));
  return {
    version: 1,
    id,
    kind: 'restore',
    cluster,
    pool,
    requestId: id,
    createdAt: new Date(createdAtMs).toISOString(),
    to: targetOfRequest(request),
    dataDirs: dataDirsOf(request, members),
    initialCluster,
    token,
    ...(target === undefined ? {} : { target }),
    ...(leaseUnknownTtlSeconds === undefined ? {} : { leaseUnknownTtlSeconds }),
    ...(skipHashCheck === undefined ? {} : { skipHashCheck }),
  };
}

function dataDirsOf({ dataDir, dataDirs }: RestoreRequest, members: ReadonlySet<string>): RestoreTask['dataDirs'] {
  if (dataDirs !== undefined && dataDir !== undefined) throw usage('Name dataDir or dataDirs, not both');
  if (dataDirs !== undefined) return dataDirs;
  if (dataDir === undefined) throw usage('Name the data directory to restore into');
  const [member] = members;
  if (member === undefined || members.size !== 1) {
    throw usage('With several members, say in dataDirs whose directory it is');
  }
  return [{ member, dataDir }];
}

function usage(message: string): EtcdOpsError {
  return new EtcdOpsError('USAGE', { message });
}
