import { clusterSpecSchema, type ClusterSpec, type ClusterSpecInput } from '@etcd-ops/bus';
import { EtcdOpsError, readRecipients } from '@etcd-ops/core';
import { parseEndpoint } from '@etcd-ops/etcd-client';
import { scheduleProblems } from '@etcd-ops/scheduler';
import { createLogger, listenForSignals, type Logger, type LogLevel } from '@etcd-ops/service-kit';
import { etcdSpecOf } from '../options/etcd-spec.ts';
import { FLAGS_OF_RETENTION, retentionSpec, type RetentionFlagOptions } from '../options/retention-options.ts';
import {
  identitiesOf,
  recipientsSpecOf,
  type IdentityOptions,
  type PackingOptions,
} from '../options/packing-options.ts';
import type { RepositoryOptions } from '../options/repository-options.ts';
import { cancelOnSignal } from '../output/cancel-on-signal.ts';
import { ProgressLine, type ProgressMode } from '../output/progress-line.ts';
import { storeSpec } from '../restore/store-spec.ts';
import { natsAccess, type NatsOptions } from './nats-access.ts';
import { checkEtcd } from './check-etcd.ts';
import { passwordFileOf } from './password-file.ts';
import { runOnce } from './run-once.ts';
import { stateDirectory } from './state-directory.ts';
import { startDaemon, type Daemon } from './start-daemon.ts';

export interface SnapshotOptions
  extends RepositoryOptions, PackingOptions, IdentityOptions, NatsOptions, RetentionFlagOptions {
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
  /** In clear, like that of `name:password`; `passwordFileOf` turns it into a file, which is all that the rest of the house knows. */
  etcdPassword?: string;
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
  stateDir?: string;
  http: string;
  restoreRoot?: string[];
  once?: boolean;
  allowStale?: boolean;
  output?: 'table' | 'json';
  progress?: ProgressMode;
  logLevel: LogLevel;
}

/** Runs the daemon until SIGTERM or SIGINT; a second signal forces the end. */
export async function runSnapshot(options: SnapshotOptions): Promise<void> {
  await using password = await passwordFileOf(options);
  const cluster = clusterFromOptions({ ...options, ...password.options });
  const logger = createLogger({
    level: options.logLevel,
    name: 'etcd-ops',
    pretty: process.stderr.isTTY,
    stream: process.stderr,
  });
  warnOfPlainText(cluster, logger);
  // A typing error in a key must be told now, and not at the first backup.
  if (cluster.encryption !== undefined) await readRecipients(cluster.encryption);
  await identitiesOf(options);
  const http = parseAddress(options.http);
  const nats = await natsAccess(options);
  const stateDir = options.stateDir ?? stateDirectory(options);
  if (options.once === true) {
    using cancel = cancelOnSignal();
    const { output = 'table', progress = 'auto' } = options;
    const line = new ProgressLine(process.stderr, progress);
    return await runOnce({ stateDir, cluster, nats, logger, output, progress: line, signal: cancel.signal });
  }
  const waitsFor = await checkEtcd(cluster);
  if (waitsFor !== undefined) {
    logger.warn({ error: waitsFor }, 'etcd cannot be backed up yet; the daemon starts and tries until it can');
  }
  const daemon = await startDaemon({
    stateDir,
    clusters: [cluster],
    restoreRoots: options.restoreRoot ?? [],
    identityFiles: options.identityFile,
    logger,
    http,
    nats,
  });
  logger.info({ cluster: cluster.name, endpoints: cluster.endpoints, httpPort: daemon.httpPort }, 'Backing up');
  await runUntilSignal(daemon, logger);
}

/** Until a signal; a second one forces the end. */
export async function runUntilSignal(daemon: Daemon, logger: Logger): Promise<void> {
  listenForSignals({
    onDrain: (signal) => {
      logger.info({ signal }, 'Draining; the last delta is flushed');
      void daemon.stop();
    },
    onForce: (_, exitCode) => process.exit(exitCode),
  });
  try {
    await daemon.ended;
  } finally {
    await daemon.stop();
  }
}

/** @throws EtcdOpsError CONFIG_INVALID naming every field that is wrong. */
export function clusterFromOptions(options: SnapshotOptions): ClusterSpec {
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
  const parsed = clusterSpecSchema.safeParse(input);
  const issues = parsed.success ? scheduleProblems(parsed.data) : parsed.error.issues;
  if (parsed.success && issues.length === 0) return parsed.data;
  const said = issues.map(({ path, message }) => `${flagOf(path)}: ${message}`);
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

/** Without a scheme the certificates decide; without those, everything goes over the wire as it is. */
export function warnOfPlainText(cluster: ClusterSpec, logger: Logger): void {
  const plain = cluster.endpoints.filter((endpoint) => !parseEndpoint(endpoint, cluster.tls).secure);
  if (plain.every(isLoopback)) return;
  logger.warn(
    { cluster: cluster.name, endpoints: plain },
    'The connection to etcd is not encrypted: write https:// or give --cacert, --cert and --key',
  );
}

function isLoopback(endpoint: string): boolean {
  return /^(?:http:\/\/)?(?:localhost|127\.[\d.]+|\[::1\])(?::|$)/.test(endpoint);
}

export function parseAddress(address: string): { host: string; port: number } {
  const separator = address.lastIndexOf(':');
  const port = Number(address.slice(separator + 1));
  if (separator < 1 || !Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new EtcdOpsError('USAGE', {
      message: `--http ${address} is not host:port`,
      remedy: 'Write it as 127.0.0.1:9100; port 0 takes any that is free.',
    });
  }
  return { host: address.slice(0, separator).replace(/^\[(.*)\]$/, '$1'), port };
}
