import { clusterSpecSchema, type ClusterSpec } from '@etcd-ops/bus';
import {
  applyCollection,
  EtcdOpsError,
  planCollection,
  retentionPolicyOf,
  type Collection,
  type CollectionOptions,
} from '@etcd-ops/core';
import { FLAGS_OF_RETENTION, retentionSpec, type RetentionFlagOptions } from '../options/retention-options.ts';
import { cancelOnSignal } from '../output/cancel-on-signal.ts';
import { confirm } from '../output/confirm.ts';
import { openChosenStore, type ChosenStoreOptions } from '../restore/chosen-store.ts';
import { emitApplied, emitPlan, sayRemoval } from './report-gc.ts';
import { retentionZone } from './retention-zone.ts';

export interface GcOptions extends ChosenStoreOptions, RetentionFlagOptions {
  timezone?: string;
  yes: boolean;
  output: 'table' | 'json';
}

/** As the service has it: halves of uploads may belong to an upload that still runs. */
const ORPHAN_GRACE_MS = 86_400_000;

/**
 * Shows what the policy of the flags makes of a repository, or does it.
 * @throws EtcdOpsError NO_BACKUP for a repository without a full; STORE_FAILED when the store would not delete something, after the
 * rest was done; CANCELLED when the answer was no.
 */
export async function runGc(options: GcOptions, action: 'plan' | 'apply'): Promise<void> {
  using cancel = cancelOnSignal();
  const retention = checkedRetention(options);
  const store = await openChosenStore(options);
  const timeZone = await retentionZone(store, options);
  const settings = { ...retention, timeZone };
  const collecting: CollectionOptions = {
    store,
    cluster: options.clusterName,
    policy: retentionPolicyOf(settings),
    orphanGraceMs: ORPHAN_GRACE_MS,
    graceMs: retention.graceMs,
    now: Date.now,
    signal: cancel.signal,
  };
  const collection = await planCollection(collecting);
  requireBackup(collection, collecting);
  if (action === 'plan') return emitPlan(collection, { settings, output: options.output });
  const { mark, remove } = collection.stage;
  if (mark.length + remove.length > 0) await confirm({ what: sayRemoval(collection, retention), yes: options.yes });
  const report = await applyCollection(collection, collecting);
  emitApplied(collection, report, { settings, output: options.output });
  const [refused] = report.refused;
  if (refused !== undefined) {
    const others = report.refused.length + report.untried - 1;
    throw new EtcdOpsError('STORE_FAILED', {
      message: `The store would not delete ${refused.key}${others === 0 ? '' : ` and ${others} more`}: ${refused.problem}`,
      remedy:
        'Everything else was done. Give the credentials the right to delete, or wait until a lock ends; later runs try it again.',
    });
  }
}

/** @throws EtcdOpsError CONFIG_INVALID naming the flag. */
export function checkedRetention(options: RetentionFlagOptions): ClusterSpec['retention'] {
  const parsed = clusterSpecSchema.shape.retention.safeParse(retentionSpec(options));
  if (parsed.success) return parsed.data;
  const said = parsed.error.issues.map(({ path, message }) => {
    const field = ['retention', ...path].join('.');
    return `${FLAGS_OF_RETENTION[field] ?? field}: ${message}`;
  });
  throw new EtcdOpsError('CONFIG_INVALID', { message: `The policy cannot be used: ${said.join('; ')}` });
}

function requireBackup({ inventory }: Collection, { store, cluster }: CollectionOptions): void {
  if (inventory.timelines.some(({ fulls }) => fulls.length > 0)) return;
  throw new EtcdOpsError('NO_BACKUP', {
    message: `${store.description} holds no full snapshot of the cluster ${cluster}: there is nothing to keep and nothing is removed`,
  });
}
