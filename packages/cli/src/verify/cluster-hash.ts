import { clusterSpecSchema } from '@etcd-ops/bus';
import { EtcdOpsError, restorableRanges, type ExpectedHash, type Inventory } from '@etcd-ops/core';
import { EtcdCluster } from '@etcd-ops/etcd-client';
import { etcdAccess } from '@etcd-ops/service-kit';
import { passwordFileOf } from '../daemon/password-file.ts';
import type { EtcdOptions } from '../options/etcd-options.ts';
import { etcdSpecOf } from '../options/etcd-spec.ts';

/**
 * What the living cluster hashes to at the end of its backups: a healthy follower is asked, where there is one, and serves nobody meanwhile.
 * @throws EtcdOpsError ETCD_...; ETCD_COMPACTED when the cluster is compacted beyond the backups' end, ETCD_WRONG_CLUSTER.
 */
export async function hashOfCluster(
  options: EtcdOptions,
  inventory: Inventory,
  signal: AbortSignal,
): Promise<ExpectedHash> {
  await using password = await passwordFileOf(options);
  const base = { version: 1, name: inventory.cluster, store: { provider: 'Local', bucket: '/' } };
  const spec = clusterSpecSchema.parse({ ...base, ...etcdSpecOf({ ...options, ...password.options }) });
  const end = restorableRanges(inventory).at(-1);
  if (end === undefined) {
    throw new EtcdOpsError('NO_BACKUP', { message: 'There is nothing to compare with the cluster' });
  }
  await using cluster = await EtcdCluster.connect(etcdAccess(spec), { signal });
  requireSameCluster(cluster, inventory, end.timeline);
  const member = await cluster.pickForSnapshot({ signal });
  const { hash, revision, compactRevision } = await member.hashKV(end.to, { signal });
  return { with: 'cluster', revision, compactRevision: compactRevision > 0 ? compactRevision : -1, hash };
}

function requireSameCluster({ clusterId }: EtcdCluster, inventory: Inventory, timeline: number): void {
  const found = inventory.timelines.find((one) => one.timeline === timeline)?.fulls.at(-1);
  if (found === undefined || found.manifest.clusterId === clusterId.toString(16)) return;
  throw new EtcdOpsError('ETCD_WRONG_CLUSTER', {
    message: `The cluster has the id ${clusterId.toString(16)}, the newest backup is of ${found.manifest.clusterId}`,
    remedy: 'Check --endpoints and --cluster-name.',
  });
}
