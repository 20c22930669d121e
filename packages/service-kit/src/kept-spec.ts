import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { ClusterSpec, LastDone } from '@etcd-ops/bus';
import {
  clusterRecordKey,
  decodeClusterRecord,
  encodeClusterRecord,
  isEtcdOpsError,
  type ObjectStore,
} from '@etcd-ops/core';
import type { Clock } from './clock.ts';
import type { Logger } from './logger.ts';

const RECORD_BYTES_MAX = 1024 * 1024;

export interface KeepSpecOptions {
  store: ObjectStore;
  /** Of the task's kind: what it kept then is not looked at again. Absent: it is looked at in any case. */
  lastDone?: LastDone | undefined;
  clock: Clock;
  logger: Logger;
  signal: AbortSignal;
}

/** For the summary of the task: which configuration lies beside the backups. Absent where that is not known. */
export interface KeptSpec {
  spec?: string;
}

/**
 * Keeps the configuration beside the backups as it is now, from which a fleet that lost its NATS is rebuilt. Costs nothing while it is the
 * one that the last task of the kind kept. Never fails: what the task did is done.
 */
export async function keepSpec(spec: ClusterSpec, options: KeepSpecOptions): Promise<KeptSpec> {
  const { store, lastDone, clock, logger, signal } = options;
  const kept = { spec: fingerprintOf(spec) };
  if (lastDone?.ok === true && lastDone.summary['spec'] === kept.spec) return kept;
  try {
    await recordSpec(store, spec, { atMs: clock.now(), signal });
    return kept;
  } catch (error) {
    // The first full, or the first delta, makes the record.
    if (isEtcdOpsError(error, 'STORE_NOT_FOUND')) return {};
    logger.warn({ cluster: spec.name, error }, 'The configuration of the cluster could not be kept beside its backups');
    // A store that lets nothing be replaced (WORM) keeps the record of the beginning: asking it with every delta would not help.
    return isEtcdOpsError(error) && !error.retriable ? kept : {};
  }
}

/**
 * Writes the configuration into the `cluster.json` of the cluster where it differs from the one that is there. Specs hold no secrets. Two
 * writers at once: the last one stays, and the next full corrects it.
 * @throws EtcdOpsError STORE_..., MANIFEST_DAMAGED, LIMIT_EXCEEDED
 */
export async function recordSpec(
  store: ObjectStore,
  spec: ClusterSpec,
  { atMs, signal }: { atMs: number; signal: AbortSignal },
): Promise<void> {
  const key = clusterRecordKey(spec.name);
  const record = decodeClusterRecord(await store.get(key, { bytesMax: RECORD_BYTES_MAX, signal }));
  if (isDeepStrictEqual(record.spec, spec)) return;
  const specAt = new Date(atMs).toISOString();
  await store.put(key, encodeClusterRecord({ ...record, spec, specAt }), { signal });
}

/** The schema gives the fields their order; a label in another place only costs one look. */
function fingerprintOf(spec: ClusterSpec): string {
  return createHash('sha256').update(JSON.stringify(spec)).digest('hex').slice(0, 16);
}
