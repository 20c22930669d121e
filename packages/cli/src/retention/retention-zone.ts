import type { ObjectStore } from '@etcd-ops/core';
import { readStoredSpec } from '../fleet/stored-specs.ts';

/**
 * In which time zone hours to years are counted: that of the flag, else of the configuration that lies beside the backups, else UTC. A
 * host's own zone would decide otherwise than the service does, and otherwise on each host.
 * @throws EtcdOpsError of the store.
 */
export async function retentionZone(
  store: ObjectStore,
  { clusterName, timezone }: { clusterName: string; timezone?: string },
): Promise<string> {
  return timezone ?? (await readStoredSpec(store, clusterName))?.spec?.timezone ?? 'UTC';
}
