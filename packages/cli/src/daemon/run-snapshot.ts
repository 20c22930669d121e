import { resolve } from 'node:path';
import { clusterSpecSchema, type ClusterSpec, type ClusterSpecInput } from '@etcd-ops/bus';
import { EtcdOpsError } from '@etcd-ops/core';
import { createLogger, listenForSignals, type LogLevel } from '@etcd-ops/service-kit';
import type { RepositoryOptions } from '../options/repository-options.ts';
import { storeSpec } from '../restore/store-spec.ts';
import { passwordFileOf } from './password-file.ts';
import { stateDirectory } from './state-directory.ts';
import { startDaemon } from './start-daemon.ts';

export interface SnapshotOptions extends RepositoryOptions {
  endpoints?: string[];
  cacert?: string;
  cert?: string;
  key?: string;
  insecureSkipTlsVerify: boolean;
  etcdUsername?: string;
  etcdPasswordFile?: string;
  /** In clear; `passwordFileOf` turns it into a file, which is all that the rest of the house knows. */
  etcdPassword?: string;
  etcdConnectionTimeout: number;
  etcdSnapshotTimeout: number;
  etcdDefragTimeout: number;
  schedule: string;
  deltaSnapshotPeriod: number;
  deltaSnapshotMemoryLimit: number;
  garbageCollectionPolicy: 'LimitBased' | 'KeepAlways';
  garbageCollectionPeriod: number;
  maxBackups: number;
  deltaRetention: 'with-base' | 'newest-chain';
  defragSchedule: string;
  enableCompression: boolean;
  compressionPolicy: 'gzip' | 'zlib' | 'zstd' | 'none';
  stateDir?: string;
  http: string;
  restoreRoot?: string[];
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
  const daemon = await startDaemon({
    stateDir: options.stateDir ?? stateDirectory(options),
    cluster,
    restoreRoots: options.restoreRoot ?? [],
    logger,
    http: parseAddress(options.http),
  });
  listenForSignals({
    onDrain: (signal) => {
      logger.info({ signal }, 'Draining; the last delta is flushed');
      void daemon.stop();
    },
    onForce: (_, exitCode) => process.exit(exitCode),
  });
  logger.info({ cluster: cluster.name, endpoints: cluster.endpoints, httpPort: daemon.httpPort }, 'Backing up');
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
    endpoints: options.endpoints ?? ['127.0.0.1:2379'],
    ...tlsOf(options),
    ...authOf(options),
    store: storeSpec(options),
    snapshots: {
      schedule: options.schedule,
      codec: options.enableCompression ? options.compressionPolicy : 'none',
      deltaPeriodMs: options.deltaSnapshotPeriod,
      deltaBytesMax: options.deltaSnapshotMemoryLimit,
    },
    retention: {
      policy: options.garbageCollectionPolicy,
      maxBackups: options.maxBackups,
      gcPeriodMs: options.garbageCollectionPeriod,
      deltaRetention: options.deltaRetention,
    },
    defrag:
      options.defragSchedule === 'never' ? { enabled: false } : { enabled: true, schedule: options.defragSchedule },
    timeouts: {
      connectMs: options.etcdConnectionTimeout,
      snapshotMs: options.etcdSnapshotTimeout,
      defragMs: options.etcdDefragTimeout,
    },
  };
  const parsed = clusterSpecSchema.safeParse(input);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  throw new EtcdOpsError('CONFIG_INVALID', { message: `The cluster cannot be configured so: ${issues.join('; ')}` });
}

function tlsOf(options: SnapshotOptions): Pick<ClusterSpecInput, 'tls'> {
  const tls = {
    ...(options.cacert === undefined ? {} : { caFile: resolve(options.cacert) }),
    ...(options.cert === undefined ? {} : { certFile: resolve(options.cert) }),
    ...(options.key === undefined ? {} : { keyFile: resolve(options.key) }),
    ...(options.insecureSkipTlsVerify ? { insecureSkipVerify: true } : {}),
  };
  return Object.keys(tls).length === 0 ? {} : { tls };
}

function authOf(options: SnapshotOptions): Pick<ClusterSpecInput, 'auth'> {
  if (options.etcdUsername === undefined) return {};
  if (options.etcdPasswordFile === undefined) {
    throw new EtcdOpsError('CONFIG_INVALID', {
      message: `The user ${options.etcdUsername} has no password`,
      remedy: 'Give --etcd-password-file; a password on the command line would be visible to everybody on the host.',
    });
  }
  return { auth: { username: options.etcdUsername, passwordFile: resolve(options.etcdPasswordFile) } };
}

function parseAddress(address: string): { host: string; port: number } {
  const separator = address.lastIndexOf(':');
  const port = Number(address.slice(separator + 1));
  if (separator < 1 || !Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new EtcdOpsError('USAGE', { message: `--http ${address} is not host:port` });
  }
  return { host: address.slice(0, separator).replace(/^\[(.*)\]$/, '$1'), port };
}
