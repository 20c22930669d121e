import { unwatchFile, watchFile } from 'node:fs';
import { join, resolve } from 'node:path';
import { describeError, encodeClusterName, readRecipients } from '@etcd-ops/core';
import { createLogger, type Logger, type LogLevel, type MetricsCompat } from '@etcd-ops/service-kit';
import { natsAccess, type NatsOptions } from '../daemon/nats-access.ts';
import { parseAddress, runUntilSignal, warnOfPlainText } from '../daemon/run-snapshot.ts';
import { startDaemon, type Daemon, type NatsAccess } from '../daemon/start-daemon.ts';
import { identitiesOf, type IdentityOptions } from '../options/packing-options.ts';
import { UsageError } from '../options/usage-error.ts';
import { changedSettings } from './changed-settings.ts';
import { tellCheck } from './check-fleet.ts';
import { readFleetFile, type Fleet } from './fleet-file.ts';

const LOOK_PERIOD_MS = 1_000;

export interface UpOptions extends IdentityOptions, NatsOptions {
  config: string;
  stateDir?: string;
  http?: string;
  restoreRoot?: string[];
  metricsCompat?: MetricsCompat;
  check: boolean;
  logLevel: LogLevel;
}

/** All services for all clusters of a file, until a signal. SIGHUP, or a change of the file, applies it again. */
export async function runUp(options: UpOptions): Promise<void> {
  const fleet = await readFleetFile(options.config);
  if (options.check) return await tellCheck(fleet);
  const logger = createLogger({
    level: options.logLevel,
    name: 'etcd-ops',
    pretty: process.stderr.isTTY,
    stream: process.stderr,
  });
  const { settings, clusters } = fleet;
  const identityFile = options.identityFile ?? settings.identityFiles;
  for (const cluster of clusters) {
    warnOfPlainText(cluster, logger);
    if (cluster.encryption !== undefined) await readRecipients(cluster.encryption);
  }
  await identitiesOf(identityFile === undefined ? {} : { identityFile });
  const daemon = await startDaemon({
    stateDir: options.stateDir ?? settings.stateDir ?? defaultStateDir(fleet),
    clusters: fleet.clusters,
    restoreRoots: options.restoreRoot ?? settings.restoreRoots ?? [],
    identityFiles: identityFile,
    notifications: settings.notifications,
    metricsCompat: options.metricsCompat ?? settings.metricsCompat,
    logger,
    http: parseAddress(options.http ?? settings.http ?? '127.0.0.1:0'),
    nats: (await natsAccess(options)) ?? (await natsOfFile(fleet)),
  });
  const names = fleet.clusters.map(({ name }) => name);
  logger.info({ clusters: names, natsUrl: daemon.natsUrl, httpPort: daemon.httpPort }, 'Backing up');
  using _following = followFile(options.config, {
    daemon,
    logger,
    needRestart: (found) => changedSettings(settings, found, givenByFlag(options)),
  });
  await runUntilSignal(daemon, logger);
}

function givenByFlag(options: UpOptions): string[] {
  const { stateDir, http, restoreRoot: restoreRoots, identityFile: identityFiles, metricsCompat, nats } = options;
  const flags = { stateDir, http, restoreRoots, identityFiles, metricsCompat, nats };
  return Object.entries(flags).flatMap(([name, value]) => (value === undefined ? [] : [name]));
}

interface Followed {
  daemon: Daemon;
  logger: Logger;
  /** Names of the settings that are others than those it was started with. */
  needRestart: (found: Fleet['settings']) => string[];
}

/** Applies the clusters of the file when it changes; a wrong one is told and changes nothing. */
function followFile(path: string, followed: Followed): Disposable {
  let applying: Promise<void> = Promise.resolve();
  const again = (cause: string): void => {
    applying = applying.then(() => reload(path, cause, followed));
  };
  const onSignal = (): void => again('SIGHUP');
  // Polled: an editor, a ConfigMap and rsync replace a file in different ways, and a watch of the old one would hear nothing.
  watchFile(path, { interval: LOOK_PERIOD_MS, persistent: false }, (now, before) => {
    if (now.mtimeMs !== before.mtimeMs || now.ino !== before.ino || now.size !== before.size) again('the file changed');
  });
  process.on('SIGHUP', onSignal);
  return {
    [Symbol.dispose]: () => {
      process.off('SIGHUP', onSignal);
      unwatchFile(path);
    },
  };
}

async function reload(path: string, cause: string, { daemon, logger, needRestart }: Followed): Promise<void> {
  try {
    const { clusters, settings } = await readFleetFile(path);
    const changed = needRestart(settings);
    if (changed.length > 0) logger.warn({ cause, settings: changed }, 'Changed settings need a restart to take effect');
    const changes = await daemon.apply(clusters);
    logger.info({ cause, ...changes }, 'The clusters were read again');
  } catch (error) {
    const problems =
      error instanceof UsageError ? error.problems.map(({ message }) => message) : [describeError(error)];
    logger.error({ cause, path, problems }, 'The clusters were not changed: the file is wrong');
  }
}

export async function natsOfFile({ settings: { nats } }: Fleet): Promise<NatsAccess | undefined> {
  if (nats === undefined) return undefined;
  const { url, tokenFile, user, passwordFile, nkeyFile, credsFile, caFile, certFile, keyFile } = nats;
  return await natsAccess({
    nats: typeof url === 'string' ? [url] : url,
    ...(tokenFile === undefined ? {} : { natsTokenFile: tokenFile }),
    ...(user === undefined ? {} : { natsUser: user }),
    ...(passwordFile === undefined ? {} : { natsPasswordFile: passwordFile }),
    ...(nkeyFile === undefined ? {} : { natsNkey: nkeyFile }),
    ...(credsFile === undefined ? {} : { natsCreds: credsFile }),
    ...(caFile === undefined ? {} : { natsCacert: caFile }),
    ...(certFile === undefined ? {} : { natsCert: certFile }),
    ...(keyFile === undefined ? {} : { natsKey: keyFile }),
  });
}

/** Beside the repositories of the first cluster, as `snapshot` does. */
function defaultStateDir({ clusters }: Fleet): string {
  const local = clusters.map(({ store }) => store).find(({ provider }) => provider === 'Local');
  const root = local === undefined ? resolve('.') : local.bucket;
  return join(root, '.etcd-ops', encodeClusterName('up'));
}
