import type { ClusterSpec } from '@etcd-ops/bus';
import { isEtcdOpsError, type EtcdOpsError } from '@etcd-ops/core';
import { EtcdCluster } from '@etcd-ops/etcd-client';
import { etcdAccess } from '@etcd-ops/service-kit';

/** Long enough for a busy etcd, short enough that a daemon without one still starts. */
const LOOK_TIMEOUT_MS_MAX = 5_000;
/** Without these there is nothing to back up with. */
const NEEDED_CALLS = ['Range', 'Watch', 'Snapshot'];

/**
 * One look before a daemon is started, so that whoever typed the command learns at once what is wrong with it: certificates, password,
 * rights, endpoints of two clusters. What may come right by itself (etcd is not up yet, has no leader now) is answered, not thrown:
 * a daemon waits for it.
 *
 * @throws EtcdOpsError ETCD_* or CONFIG_INVALID that no waiting mends.
 */
export async function checkEtcd(spec: ClusterSpec): Promise<EtcdOpsError | undefined> {
  const access = etcdAccess(spec);
  const connectTimeoutMs = Math.min(access.connectTimeoutMs ?? LOOK_TIMEOUT_MS_MAX, LOOK_TIMEOUT_MS_MAX);
  try {
    await using cluster = await EtcdCluster.connect({
      ...access,
      connectTimeoutMs,
      requestTimeoutMs: LOOK_TIMEOUT_MS_MAX,
    });
    for (const { calls, error } of await cluster.checkRights()) {
      if (calls.some((call) => NEEDED_CALLS.includes(call))) throw error;
    }
    await cluster.pickForSnapshot();
    return undefined;
  } catch (error) {
    if (isEtcdOpsError(error) && error.retriable) return error;
    throw error;
  }
}
