import { isEtcdOpsError } from '@etcd-ops/core';
import type { z } from 'zod';
import { baseSettings, type BaseSettings } from './config/base-settings.ts';
import { loadServiceConfig, unknownVariables, type Environment } from './config/load-config.ts';
import { processEnvironment } from './config/process-environment.ts';
import { connectBuses } from './connect-buses.ts';
import { startHealthServer } from './health-server.ts';
import { createLogger, type Logger } from './logger.ts';
import { createMetrics } from './metrics.ts';
import { serveCompatMetrics } from './metrics-compat.ts';
import { orCancelled } from './or-cancelled.ts';
import { Redaction } from './redaction.ts';
import { retry } from './retry.ts';
import { runServices } from './run-services.ts';
import { createServiceContext, type ServiceContext } from './service-context.ts';
import type { Service } from './service.ts';
import { listenForSignals } from './signals.ts';

export interface MainOptions<Shape extends z.ZodRawShape> {
  /** As in the image and in the logs: `garbage-collector`. */
  name: string;
  /** The service's own settings, read from `ETCD_OPS_*` beside the common ones. */
  settings: z.ZodObject<Shape>;
  create: (context: ServiceContext, settings: z.output<z.ZodObject<Shape>>) => Service;
  environment?: Environment;
}

/**
 * The whole life of a service's own process; `main.ts` calls nothing else. Exit codes: 0 after a drain, the error's own code
 * (see `ERROR_CODES`) when it could not start or failed, 1 for a bug or a drain that took too long, 143 or 130 when a second signal forced it.
 */
export async function runMain<Shape extends z.ZodRawShape>(options: MainOptions<Shape>): Promise<never> {
  const redaction = new Redaction();
  let logger = createLogger({ level: 'info', name: options.name, redaction });
  const stop = new AbortController();
  listenForSignals({
    onDrain: (signalName) => {
      logger.info({ signal: signalName }, 'Draining');
      stop.abort();
    },
    onForce: (signalName, exitCode) => {
      logger.warn({ signal: signalName, exitCode }, 'Forced to exit');
      process.exit(exitCode);
    },
  });
  process.on('uncaughtException', (error) => {
    logger.fatal({ error }, 'Uncaught exception');
    process.exit(1);
  });
  try {
    const environment = options.environment ?? processEnvironment();
    const schema = baseSettings.extend(options.settings.shape);
    // All of them once, so that every error is told at once; then each half with its own type.
    loadServiceConfig(environment, schema);
    const common = loadServiceConfig(environment, baseSettings);
    const own = loadServiceConfig(environment, options.settings);
    logger = createLogger({
      level: common.logLevel,
      name: options.name,
      pretty: common.logFormat === 'pretty',
      redaction,
    });
    for (const warning of unknownVariables(environment, schema, options.name)) {
      logger.warn({ warning }, 'Unknown setting');
    }
    await runProcess({
      name: options.name,
      common,
      logger,
      redaction,
      signal: stop.signal,
      create: (context) => options.create(context, own),
    });
    logger.info('Ended');
    process.exit(0);
  } catch (error) {
    if (stop.signal.aborted && isEtcdOpsError(error, 'CANCELLED')) process.exit(0);
    logger.fatal({ error }, 'Failed');
    process.exit(isEtcdOpsError(error) ? error.exitCode : 1);
  }
}

interface ProcessOptions {
  name: string;
  common: BaseSettings;
  logger: Logger;
  redaction: Redaction;
  signal: AbortSignal;
  create: (context: ServiceContext) => Service;
}

async function runProcess({ name, common, logger, redaction, signal, create }: ProcessOptions): Promise<void> {
  const metrics = createMetrics(name);
  serveCompatMetrics(metrics, common.metricsCompat);
  const running: { service?: Service } = {};
  // Served from the first moment, so that a process that waits for its bus is seen as live and not ready.
  const waiting: Service = {
    name,
    run: () => Promise.resolve(),
    health: () => running.service?.health() ?? { live: true, ready: false, detail: 'connecting to NATS' },
  };
  await using _health = await startHealthServer({
    host: common.httpHost,
    port: common.httpPort,
    services: [waiting],
    metrics,
    logger,
  });
  await using buses = await connectBuses(common, { name, logger, redaction, signal });
  const { bus, ops } = buses;
  const { stateDir, spoolDir } = common;
  await using context = await orCancelled(
    retry(() => createServiceContext({ bus, ops, logger, metrics, stateDir, spoolDir }), {
      signal,
      onRetry: ({ error, delayMs }) => logger.warn({ error, delayMs }, 'Waiting for the clusters'),
    }),
    signal,
  );
  running.service = create(context);
  await runServices([running.service], { logger, signal, drainTimeoutMs: common.drainTimeoutMs });
}
