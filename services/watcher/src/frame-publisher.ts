import type { Blocked, EventWriter } from '@etcd-ops/bus';
import { freeBuffer, RowBlockBuilder, type LeaseRecord, type Revision } from '@etcd-ops/core';
import type { WatchEnd } from '@etcd-ops/etcd-client';
import type { Clock } from '@etcd-ops/service-kit';
import { isBacklogWhole } from './backlog-guard.ts';
import type { CaptureWatch, GivenUp } from './capture-watch.ts';
import type { DeltaTrigger } from './delta-trigger.ts';
import type { Frame } from './frame-gatherer.ts';
import type { LeaseTracker } from './lease-tracker.ts';
import type { CaptureVoice } from './metrics.ts';
import type { RevisionHole } from './revision-assembler.ts';

/** Why no more can be published from a watch. */
export type PublishEnd =
  | { kind: 'watch'; end: WatchEnd }
  | { kind: 'hole'; hole: RevisionHole }
  | { kind: 'given-up'; reason: GivenUp }
  /** A compaction may have taken rows of a backlog batch: the next watch from L will say so. */
  | { kind: 'overtaken'; first: Revision };

export interface PublisherOptions {
  writer: EventWriter;
  voice: CaptureVoice;
  leases: LeaseTracker;
  trigger: DeltaTrigger;
  leaseRecordsPerFrameMax: number;
  /** At most one frame in this time, unless more than a frame waits. */
  lingerMs: number;
  guardBacklogs: boolean;
  clock: Clock;
  /** Nobody goes on in this process: what is being asked about leases is awaited when the watch has ended. */
  stopping?: AbortSignal;
  /** Lease records that were published, and under which sequence. */
  onLeases?: (records: number, sequence: number) => void;
  /** Ends the waiting for a full stream, and for answers. */
  signal: AbortSignal;
}

/** L as the bus has acknowledged it. */
export interface PublishedPoint {
  timeline: number;
  clusterId: bigint;
  revision: Revision;
  digest: string | null;
  digestRows: number;
}

/**
 * Sends frames, one in flight: what comes meanwhile is gathered into the next. A row after a pause travels at once; in a steady flow each
 * frame waits a moment for company, since a message costs both ends as much as a hundred rows.
 */
export class FramePublisher {
  readonly #options: PublisherOptions;
  #point: PublishedPoint;
  #takenAtMs = -Infinity;

  constructor(options: PublisherOptions, point: PublishedPoint) {
    this.#options = options;
    this.#point = point;
  }

  get point(): PublishedPoint {
    return this.#point;
  }

  /** Resolves when the watch has ended and everything whole that it delivered is acknowledged. @throws the writer's errors. */
  async run(watch: CaptureWatch): Promise<PublishEnd> {
    const { signal } = this.#options;
    const wake = (): void => watch.gatherer.wake();
    signal.addEventListener('abort', wake, { once: true });
    try {
      return await this.#run(watch);
    } finally {
      signal.removeEventListener('abort', wake);
    }
  }

  async #run(watch: CaptureWatch): Promise<PublishEnd> {
    const { leases, leaseRecordsPerFrameMax } = this.#options;
    for (;;) {
      while (!watch.gatherer.readable && leases.recordCount === 0 && watch.end === undefined) {
        await watch.gatherer.wait();
      }
      await this.#linger(watch);
      const overtaken = await this.#guard(watch);
      if (overtaken !== undefined) return { kind: 'overtaken', first: overtaken };
      const frame = watch.gatherer.take();
      this.#takenAtMs = performance.now();
      const records = leases.take(leaseRecordsPerFrameMax);
      if (frame !== undefined || records.length > 0) {
        await this.#publish(frame ?? this.#frameWithoutRows(), records);
      } else if (this.#awaitsAnswers) {
        await watch.gatherer.wait();
      } else if (watch.end !== undefined) {
        const { hole } = watch.assembler;
        if (hole !== undefined) return { kind: 'hole', hole };
        if (watch.givenUp !== undefined) return { kind: 'given-up', reason: watch.givenUp };
        return { kind: 'watch', end: watch.end };
      }
    }
  }

  get #awaitsAnswers(): boolean {
    const { leases, stopping, signal } = this.#options;
    return stopping?.aborted === true && !signal.aborted && leases.pendingCount > 0;
  }

  async #linger(watch: CaptureWatch): Promise<void> {
    const leftMs = this.#takenAtMs + this.#options.lingerMs - performance.now();
    if (leftMs > 0 && !watch.gatherer.full && watch.end === undefined) await this.#options.clock.sleep(leftMs);
  }

  /** Until no batch is unproven: while one is asked about, the next may come. */
  async #guard(watch: CaptureWatch): Promise<Revision | undefined> {
    for (let first = watch.takeBacklog(); first !== undefined; first = watch.takeBacklog()) {
      if (this.#options.guardBacklogs && !(await isBacklogWhole(watch.member, first))) return first;
    }
    return undefined;
  }

  async #publish(frame: Frame, leases: LeaseRecord[]): Promise<void> {
    const { writer, voice, trigger, signal } = this.#options;
    const { timeline, clusterId } = this.#point;
    const { first, last, rowBlock, observedMs, digest, digestRows } = frame;
    const rowBytes = rowBlock.length;
    const leasesAskedTo = this.#options.leases.askedTo(last);
    const learned = { leases, leasesAskedTo, observedMs, digest, digestRows };
    const stored = writer.publish(
      { kind: 'rows', timeline, clusterId, first, last, rowBlock, ...learned },
      { signal, onBlocked: (blocked) => this.#sayBlocked(blocked) },
    );
    // The message is made by now, and its acknowledgement may take long.
    freeBuffer(rowBlock);
    const { sequence } = await stored;
    this.#point = { timeline, clusterId, revision: last, digest, digestRows };
    const labels = { cluster: voice.cluster };
    voice.metrics.capturedRevision.set(labels, last);
    voice.metrics.frames.add(labels);
    if (frame.rowCount > 0) {
      voice.metrics.acknowledgedSeconds.observe(labels, (performance.now() - frame.gatheredAtMs) / 1_000);
    }
    voice.metrics.rows.add(labels, frame.rowCount);
    voice.metrics.bytes.add(labels, rowBytes);
    if (leases.length > 0) this.#options.onLeases?.(leases.length, sequence);
    trigger.published(rowBytes, sequence);
  }

  #sayBlocked({ reason, blockedMs }: Blocked): void {
    this.#options.voice.logger.warn(
      { reason, blockedMs },
      'The event stream is full: capture waits until deltas are stored',
    );
  }

  #frameWithoutRows(): Frame {
    const { revision, digest, digestRows } = this.#point;
    const rowBlock = new RowBlockBuilder().take();
    return {
      first: revision + 1,
      last: revision,
      rowCount: 0,
      rowBlock,
      observedMs: this.#options.clock.now(),
      gatheredAtMs: performance.now(),
      digest,
      digestRows,
    };
  }
}
