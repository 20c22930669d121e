import type { ClusterSpec } from '@etcd-ops/bus';
import { EtcdOpsError, isEtcdOpsError } from '@etcd-ops/core';
import { EtcdCluster, type EtcdAccess } from '@etcd-ops/etcd-client';
import { etcdAccess } from '@etcd-ops/service-kit';
import { clockAheadOf } from './http-clock.ts';
import type { AskedEndpoint, EtcdFacts } from './judge-etcd.ts';
import { orError } from './or-error.ts';

/** Long enough for a busy etcd; a check that waits for minutes tells nobody anything. */
const TIMEOUT_MS_MAX = 10_000;

export interface LookedAtEtcd {
  facts: EtcdFacts;
  /** Where it answered. */
  living?: { headRevision: number; clusterId: string };
}

/** Asks every endpoint, and the cluster behind them. @throws EtcdOpsError CANCELLED, CONFIG_INVALID. */
export async function lookAtEtcd(spec: ClusterSpec, signal: AbortSignal): Promise<LookedAtEtcd> {
  const access = etcdAccess(spec);
  const short: EtcdAccess = {
    ...access,
    connectTimeoutMs: Math.min(access.connectTimeoutMs ?? TIMEOUT_MS_MAX, TIMEOUT_MS_MAX),
    requestTimeoutMs: Math.min(access.requestTimeoutMs ?? TIMEOUT_MS_MAX, TIMEOUT_MS_MAX),
  };
  const endpoints = await Promise.all(
    [...new Set(short.endpoints)].map(async (endpoint) => await askEndpoint(endpoint, short, signal)),
  );
  try {
    await using cluster = await EtcdCluster.connect(short, { signal });
    const timeoutMs = short.requestTimeoutMs ?? TIMEOUT_MS_MAX;
    const options = { signal, timeoutMs };
    const [head, members, alarms, rights] = await Promise.all([
      orError(async () => {
        const member = await cluster.pickForWatch(options);
        return (await member.linearizableRead(options)).revision;
      }),
      orError(async () => await cluster.memberList(options)),
      orError(async () => await cluster.alarms(options)),
      orError(async () => await cluster.checkRights(options)),
    ]);
    const facts = { endpoints, head, members, alarms, rights };
    if (typeof head !== 'number') return { facts };
    return { facts, living: { headRevision: head, clusterId: cluster.clusterId.toString(16) } };
  } catch (error) {
    if (!isEtcdOpsError(error) || error.code === 'CANCELLED' || error.code === 'CONFIG_INVALID') throw error;
    return { facts: { endpoints, head: error, members: error, alarms: error, rights: error } };
  }
}

/** Each by itself, so that one that is wrong is named and hides no other. */
async function askEndpoint(endpoint: string, access: EtcdAccess, signal: AbortSignal): Promise<AskedEndpoint> {
  const status = await orError(async () => {
    await using one = await EtcdCluster.connect({ ...access, endpoints: [endpoint] }, { signal });
    return await one.members()[0]!.status({ signal });
  });
  if (status instanceof EtcdOpsError) return { endpoint, failure: status };
  return { endpoint, status, clockAheadMs: await clockAheadOf(endpoint, access.tls) };
}
