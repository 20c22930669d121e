import type { Clock } from '@etcd-ops/service-kit';
import type { CaptureMemory } from './capture-memory.ts';
import type { CaptureWatch } from './capture-watch.ts';
import type { FramePublisher } from './frame-publisher.ts';
import type { LeaseTracker } from './lease-tracker.ts';
import type { CaptureVoice } from './metrics.ts';

const PERIOD_MS = 1_000;

/** So many seconds in a row above the limit make a watch one that does not keep up. */
const BEHIND_TICKS = 5;

/**
 * Once a second, beside the capture: how far it lags, and whether the leases should be looked through. A watch that falls far behind
 * although nobody holds it back is served in ticks by etcd and does not recover by itself: it is given up, to catch up in segments.
 */
export class WatchGauge {
  readonly #timer: NodeJS.Timeout;
  readonly #tick: () => void;

  constructor(options: {
    watch: CaptureWatch;
    publisher: FramePublisher;
    leases: LeaseTracker;
    voice: CaptureVoice;
    clock: Clock;
    memory: CaptureMemory;
    revisionsBehindMax: number;
  }) {
    const { watch, publisher, leases, voice, clock, memory, revisionsBehindMax } = options;
    const { metrics } = voice;
    const labels = { cluster: voice.cluster };
    let droppedSaid = 0;
    let behindTicks = 0;
    this.#tick = () => {
      const { timeline, revision: captured } = publisher.point;
      const head = Math.max(watch.headRevision, memory.headRevision, captured);
      const oldestMs = watch.gatherer.oldestObservedMs;
      memory.ttls.asking = leases.pendingCount + leases.recordCount;
      memory.lag.noteHead(head, clock.now());
      memory.lag.noteCaptured(timeline, captured);
      metrics.headRevision.set(labels, head);
      metrics.capturedRevision.set(labels, captured);
      metrics.lagRevisions.set(labels, head - captured);
      metrics.lagSeconds.set(labels, oldestMs === undefined ? 0 : Math.max(0, clock.now() - oldestMs) / 1_000);
      metrics.dropped.add(labels, watch.assembler.droppedCount - droppedSaid);
      droppedSaid = watch.assembler.droppedCount;
    };
    this.#timer = setInterval(() => {
      this.#tick();
      behindTicks = watch.headRevision - watch.assembler.lastCompleted > revisionsBehindMax ? behindTicks + 1 : 0;
      if (behindTicks === BEHIND_TICKS) watch.giveUp('behind');
      void leases.listIfDue();
    }, PERIOD_MS);
    this.#tick();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#tick();
  }
}
