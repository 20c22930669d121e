import { isEtcdOpsError } from '@etcd-ops/core';
import { startBufferCollector } from './buffer-collector.ts';
import { startHeapCollector } from './heap-collector.ts';
import type { Logger } from './logger.ts';
import type { Service } from './service.ts';

export interface RunServicesOptions {
  logger: Logger;
  /** Aborting it asks for a drain. */
  signal: AbortSignal;
  /** All services together get this long to drain, in reverse order; whoever has not ended by then is named in the error. */
  drainTimeoutMs: number;
}

interface Running {
  service: Service;
  stop: AbortController;
  /** Never rejects. */
  ended: Promise<void>;
  hasEnded: boolean;
}

/**
 * Runs services in one process: started in the order given, stopped in reverse. The first that fails (or ends without being asked)
 * stops all the others.
 * @throws the first failure, after everything has ended; an Error naming the services that did not drain in time.
 */
export async function runServices(services: readonly Service[], options: RunServicesOptions): Promise<void> {
  const { logger, signal } = options;
  using _buffers = startBufferCollector();
  using _heap = startHeapCollector();
  const running: Running[] = [];
  const failures: unknown[] = [];
  const { promise: firstEnd, resolve: onFirstEnd } = Promise.withResolvers<void>();

  for (const service of services) {
    if (signal.aborted || failures.length > 0) break;
    running.push(start(service, { logger, onFailure: (error) => failures.push(error), onEnd: onFirstEnd }));
    logger.info({ service: service.name }, 'Service started');
    // A start that fails at once keeps the ones behind it from starting.
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.race([firstEnd, whenAborted(signal), ...(running.length === 0 ? [Promise.resolve()] : [])]);

  const late = await drain(running, options);
  if (failures.length > 0) throw failures[0];
  if (late.length > 0) throw new Error(`Not drained within ${options.drainTimeoutMs} ms: ${late.join(', ')}`);
}

function start(
  service: Service,
  hooks: { logger: Logger; onFailure: (error: unknown) => void; onEnd: () => void },
): Running {
  const stop = new AbortController();
  const run = async (): Promise<void> => {
    try {
      await service.run(stop.signal);
      if (stop.signal.aborted) return;
      throw new Error(`The service ${service.name} ended without being asked to`);
    } catch (error) {
      // Being cancelled when asked to stop is no failure.
      if (stop.signal.aborted && isEtcdOpsError(error, 'CANCELLED')) return;
      hooks.logger.error({ service: service.name, error }, 'Service failed');
      hooks.onFailure(error);
    } finally {
      running.hasEnded = true;
      hooks.onEnd();
    }
  };
  const running: Running = { service, stop, hasEnded: false, ended: Promise.resolve() };
  running.ended = run();
  return running;
}

/** Those that a stuck one kept from being asked in time still get this long. */
const LAST_CALL_MS = 250;

/** Stops in reverse order, one after the other; returns the names of those that had not ended when time was up. */
async function drain(running: readonly Running[], { logger, drainTimeoutMs }: RunServicesOptions): Promise<string[]> {
  const deadline = performance.now() + drainTimeoutMs;
  for (const { service, stop, ended } of running.toReversed()) {
    stop.abort();
    if (await endsWithin(ended, deadline - performance.now())) {
      logger.info({ service: service.name }, 'Service stopped');
    }
  }
  await endsWithin(Promise.all(running.map(({ ended }) => ended)), LAST_CALL_MS);
  const late = running.filter((item) => !item.hasEnded).map((item) => item.service.name);
  if (late.length > 0) logger.error({ services: late, drainTimeoutMs }, 'Services did not drain in time');
  return late;
}

async function endsWithin(ended: Promise<unknown>, limitMs: number): Promise<boolean> {
  if (limitMs <= 0) return false;
  const { promise: timeUp, resolve } = Promise.withResolvers<false>();
  const timer = setTimeout(() => resolve(false), limitMs);
  try {
    return await Promise.race([ended.then(() => true), timeUp]);
  } finally {
    clearTimeout(timer);
  }
}

function whenAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
