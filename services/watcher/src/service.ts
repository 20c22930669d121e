import { runClusterJobs, type Service, type ServiceContext, type ServiceHealth } from '@etcd-ops/service-kit';
import { randomUUID } from 'node:crypto';
import { ClusterCapture } from './cluster-capture.ts';
import type { WatcherSettings } from './settings.ts';
import { createCaptureMetrics } from './metrics.ts';
import { createOwnerKey } from './owner-key.ts';
import { holdOwnership } from './ownership.ts';

/** Captures every change of the clusters that this process owns into their event streams. Any number of replicas. */
export function createWatcherService(context: ServiceContext, settings: WatcherSettings): Service {
  const watcher = randomUUID();
  const captures = new Map<string, ClusterCapture>();
  return {
    name: 'watcher',
    async run(signal) {
      const metrics = createCaptureMetrics(context.metrics);
      await runClusterJobs({
        registry: context.clusters,
        logger: context.logger,
        clock: context.clock,
        signal,
        // Without deltas nobody would drain the stream.
        accepts: ({ snapshots }) => snapshots.deltaPeriodMs > 0,
        job: (spec, jobSignal) =>
          holdOwnership({
            key: createOwnerKey({ bus: context.bus, cluster: spec.name, watcher, now: () => context.clock.now() }),
            renewMs: settings.ownerRenewMs,
            contendMs: settings.ownerContendMs,
            clock: context.clock,
            logger: context.logger.child({ cluster: spec.name }),
            signal: jobSignal,
            async whileOwned(ownedSignal) {
              const capture = new ClusterCapture({ spec, context, settings, metrics });
              captures.set(spec.name, capture);
              try {
                await capture.run(ownedSignal);
              } finally {
                captures.delete(spec.name);
              }
            },
          }),
      });
    },
    health: () => healthOf(captures),
  };
}

/** Ready: every cluster that it owns is being watched. One that owns none stands by, and is ready too. */
function healthOf(captures: ReadonlyMap<string, ClusterCapture>): ServiceHealth {
  const waiting = [...captures].filter(([, capture]) => !capture.watching);
  const said = waiting.slice(0, 3).map(([cluster, { detail }]) => `${cluster}: ${detail}`);
  const detail =
    waiting.length === 0
      ? `watching ${captures.size} clusters`
      : `${waiting.length} of ${captures.size} clusters wait: ${said.join('; ')}`;
  return { live: true, ready: waiting.length === 0, detail };
}
