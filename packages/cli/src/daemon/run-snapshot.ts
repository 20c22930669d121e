import type { ClusterSpec } from '@etcd-ops/bus';
import { EtcdOpsError, readRecipients } from '@etcd-ops/core';
import { parseEndpoint } from '@etcd-ops/etcd-client';
import { createLogger, listenForSignals, type Logger, type LogLevel, type MetricsCompat } from '@etcd-ops/service-kit';
import { identitiesOf, type IdentityOptions } from '../options/packing-options.ts';
import { cancelOnSignal } from '../output/cancel-on-signal.ts';
import { ProgressLine, type ProgressMode } from '../output/progress-line.ts';
import { natsAccess, type NatsOptions } from './nats-access.ts';
import { checkEtcd } from './check-etcd.ts';
import { clusterFromOptions, type ClusterOptions } from './cluster-from-options.ts';
import { passwordFileOf } from './password-file.ts';
import { runOnce } from './run-once.ts';
import { stateDirectory } from './state-directory.ts';
import { startDaemon, type Daemon } from './start-daemon.ts';

export interface SnapshotOptions extends ClusterOptions, IdentityOptions, NatsOptions {
  /** In clear, like that of `name:password`; `passwordFileOf` turns it into a file, which is all that the rest of the house knows. */
  etcdPassword?: string;
  stateDir?: string;
  http: string;
  restoreRoot?: string[];
  once?: boolean;
  output?: 'table' | 'json';
  progress?: ProgressMode;
  metricsCompat?: MetricsCompat;
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
    metricsCompat: options.metricsCompat,
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
