import type { ClusterSpec } from '@etcd-ops/bus';
import { Pace, runClusterJobs, type Service, type ServiceContext, type ServiceHealth } from '@etcd-ops/service-kit';
import { randomUUID } from 'node:crypto';
import { ClusterCapture } from './cluster-capture.ts';
import { wantFirstFull } from './first-full.ts';
import { FairShare } from './fair-share.ts';
import { Fleet } from './fleet.ts';
import type { WatcherSettings } from './settings.ts';
import { createCaptureMetrics, expectCapture, type CaptureMetrics } from './metrics.ts';
import { OpeningSlots } from './opening-slots.ts';
import { createOwnerKey } from './owner-key.ts';
import { holdOwnership, type Spread } from './ownership.ts';

/** One cluster given back after the other, so that those who have too few are counted in between. */
const YIELD_PAUSE_MS = 2_000;
/** Above the time in which a watcher that vanished is missed. */
const PATIENCE_MS = 8_000;
/** Captures that are opened at a time, and how long one of them may keep the next waiting. */
const OPENING_MAX = 24;
const OPENING_MS_MAX = 1_000;
/** Of what can wait until all captures are open. */
const LATER_PERIOD_MS = 250;

/** Captures every change of the clusters that this process owns into their event streams. Any number of replicas. */
export function createWatcherService(context: ServiceContext, settings: WatcherSettings): Service {
  const watcher = randomUUID();
  const captures = new Map<string, ClusterCapture>();
  return {
    name: 'watcher',
    async run(signal) {
      const metrics = createCaptureMetrics(context.metrics);
      const { bus, clock, clusters, logger } = context;
      const fleet = new Fleet({ bus, watcher, renewMs: settings.ownerRenewMs, clock, logger });
      // Asked for at each renewal of each cluster, so it is not counted anew.
      const captured = new Set<string>();
      const stopCounting = clusters.subscribe(({ kind, spec }) => {
        captured[kind !== 'removed' && isCaptured(spec) ? 'add' : 'delete'](spec.name);
      });
      const share = new FairShare({
        clusters: () => captured.size,
        watchers: () => fleet.size,
        yieldPauseMs: YIELD_PAUSE_MS,
        patienceMs: PATIENCE_MS,
      });
      const slots = new OpeningSlots({ slots: OPENING_MAX, lentMsMax: OPENING_MS_MAX });
      const later = new Pace({ periodMs: LATER_PERIOD_MS, clock });
      const living = fleet.run(signal);
      await runClusterJobs({
        registry: context.clusters,
        logger: context.logger,
        clock: context.clock,
        signal,
        job: async (spec, jobSignal) => {
          if (!isCaptured(spec)) return await wantFirstFull(spec, context, jobSignal);
          await holdOwnership({
            key: createOwnerKey({
              bus: context.bus,
              cluster: spec.name,
              watcher,
              now: () => context.clock.now(),
              facts: () => captures.get(spec.name)?.facts(),
              abandoned: () => fleet.abandoned(spec.name),
            }),
            renewMs: () => fleet.renewMs(share.owned),
            contendMs: settings.ownerContendMs,
            clock: context.clock,
            logger: context.logger.child({ cluster: spec.name }),
            signal: jobSignal,
            spread: spreadOf(spec.name, { fleet, share, contendMs: settings.ownerContendMs }),
            async whileOwned(ownedSignal) {
              const capture = new ClusterCapture({ spec, context, settings, metrics, slots, later });
              captures.set(spec.name, capture);
              expectCapture(metrics, spec.name);
              metrics.owned.set({ cluster: spec.name }, 1);
              try {
                await capture.run(ownedSignal);
              } finally {
                captures.delete(spec.name);
                disown(metrics, spec.name, clusters.get(spec.name) !== undefined);
              }
            },
          });
        },
      });
      stopCounting();
      // All clusters were given back: the others need not find that out by themselves.
      await fleet.depart();
      await living;
    },
    health: () => healthOf(captures),
  };
}

/** Whoever has too few takes what is free, and whoever has too many gives it back. */
function spreadOf(
  cluster: string,
  { fleet, share, contendMs }: { fleet: Fleet; share: FairShare; contendMs: number },
): Spread {
  return {
    mayTake: () => {
      const waitMs = fleet.waitMs(cluster);
      if (waitMs === undefined) share.seenHeld(cluster);
      return waitMs === 0 && share.mayTake(cluster);
    },
    took: () => share.took(cluster),
    missed: () => share.missed(cluster),
    gave: () => share.gave(cluster),
    mustYield: () => share.mustYield(),
    restMs: () => {
      const waitMs = fleet.waitMs(cluster);
      return waitMs === 0 ? contendMs : waitMs;
    },
    onFree: (listener) => fleet.onFree(cluster, listener),
  };
}

/** What another watcher measures from now on must not go on being told here; of a cluster that was removed nothing is told. */
function disown(metrics: CaptureMetrics, cluster: string, isKnown: boolean): void {
  if (!isKnown) return;
  for (const gauge of [metrics.owned, metrics.watching, metrics.lagRevisions, metrics.lagSeconds]) {
    gauge.set({ cluster }, 0);
  }
}

/** Without deltas nobody would drain the stream. */
function isCaptured({ snapshots }: ClusterSpec): boolean {
  return snapshots.deltaPeriodMs > 0;
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
