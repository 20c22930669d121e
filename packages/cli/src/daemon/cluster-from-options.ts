import { clusterSpecSchema, type ClusterSpec, type ClusterSpecInput } from '@etcd-ops/bus';
import { EtcdOpsError } from '@etcd-ops/core';
import { readSpecOrFaults } from '../fleet/spec-faults.ts';
import { etcdSpecOf } from '../options/etcd-spec.ts';
import { recipientsSpecOf, type PackingOptions } from '../options/packing-options.ts';
import type { RepositoryOptions } from '../options/repository-options.ts';
import { FLAGS_OF_RETENTION, retentionSpec, type RetentionFlagOptions } from '../options/retention-options.ts';
import { storeSpec } from '../restore/store-spec.ts';

/** What flags say of a cluster under care. */
export interface ClusterOptions extends RepositoryOptions, PackingOptions, RetentionFlagOptions {
  endpoints?: string[];
  cacert?: string;
  cert?: string;
  key?: string;
  insecureSkipTlsVerify: boolean;
  insecureTransport?: boolean;
  etcdUsername?: string;
  etcdPasswordFile?: string;
  maintenanceUsername?: string;
  maintenancePasswordFile?: string;
  etcdConnectionTimeout: number;
  etcdSnapshotTimeout: number;
  etcdDefragTimeout: number;
  schedule: string;
  deltaSnapshotPeriod: number;
  deltaSnapshotMemoryLimit: number;
  garbageCollectionPeriod: number;
  defragSchedule: string;
  proofSchedule?: string;
  clusterWitnesses?: ClusterSpec['proof']['witnesses'];
  mergeDeltas?: boolean;
  /** IANA name; the host's where it is not given, as cron has it. */
  timezone?: string;
  allowStale?: boolean;
}

/** @throws EtcdOpsError CONFIG_INVALID naming every field that is wrong. */
export function clusterFromOptions(options: ClusterOptions): ClusterSpec {
  const input: ClusterSpecInput = {
    version: 1,
    name: options.clusterName,
    ...etcdSpecOf(options),
    store: storeSpec(options),
    snapshots: {
      schedule: options.schedule,
      codec: options.enableCompression ? options.compressionPolicy : 'none',
      ...levelOf(options),
      deltaPeriodMs: options.deltaSnapshotPeriod,
      deltaBytesMax: options.deltaSnapshotMemoryLimit,
      ...(options.allowStale === true ? { allowStale: true } : {}),
    },
    ...encryptionOf(options),
    retention: { ...retentionSpec(options), gcPeriodMs: options.garbageCollectionPeriod },
    defrag:
      options.defragSchedule === 'never' ? { enabled: false } : { enabled: true, schedule: options.defragSchedule },
    proof: {
      ...scheduled(options.proofSchedule),
      ...(options.clusterWitnesses === undefined ? {} : { witnesses: options.clusterWitnesses }),
    },
    merging: { enabled: options.mergeDeltas !== false },
    timezone: options.timezone ?? Intl.DateTimeFormat().resolvedOptions().timeZone,
    timeouts: {
      connectMs: options.etcdConnectionTimeout,
      snapshotMs: options.etcdSnapshotTimeout,
      defragMs: options.etcdDefragTimeout,
    },
  };
  const read = readSpecOrFaults(clusterSpecSchema, input);
  if (read.spec !== undefined) return read.spec;
  const said = [...read.issues, ...read.schedules].map(({ path, message }) => `${flagOf(path)}: ${message}`);
  throw new EtcdOpsError('CONFIG_INVALID', { message: `The cluster cannot be configured so: ${said.join('; ')}` });
}

function levelOf(options: PackingOptions): { compressionLevel?: number } {
  const { enableCompression, compressionLevel } = options;
  return enableCompression && compressionLevel !== undefined ? { compressionLevel } : {};
}

function encryptionOf(options: PackingOptions): Pick<ClusterSpecInput, 'encryption'> {
  const encryption = recipientsSpecOf(options);
  return encryption === undefined ? {} : { encryption };
}

function scheduled(schedule: string | undefined): { enabled?: boolean; schedule?: string } {
  if (schedule === undefined) return {};
  return schedule === 'never' ? { enabled: false } : { schedule };
}

/** Who types flags does not know the fields of a spec. */
const FLAGS_OF_FIELDS: Readonly<Record<string, string>> = {
  name: '--cluster-name',
  endpoints: '--endpoints',
  timezone: '--timezone',
  'snapshots.schedule': '--schedule',
  'snapshots.compressionLevel': '--compression-level',
  'snapshots.deltaPeriodMs': '--delta-snapshot-period',
  'snapshots.deltaBytesMax': '--delta-snapshot-memory-limit',
  'encryption.recipients': '--encryption-recipients',
  'encryption.recipientsFile': '--encryption-recipients-file',
  'defrag.schedule': '--defrag-schedule',
  'proof.schedule': '--proof-schedule',
  ...FLAGS_OF_RETENTION,
  'retention.gcPeriodMs': '--garbage-collection-period',
  'timeouts.connectMs': '--etcd-connection-timeout',
  'timeouts.snapshotMs': '--etcd-snapshot-timeout',
  'timeouts.defragMs': '--etcd-defrag-timeout',
};

function flagOf(path: readonly PropertyKey[]): string {
  const field = path.filter((part) => typeof part === 'string').join('.');
  return FLAGS_OF_FIELDS[field] ?? field;
}
