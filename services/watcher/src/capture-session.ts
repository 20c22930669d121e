import { EventWriter, type ClusterSpec, type FullTask } from '@etcd-ops/bus';
import { describeError, isEtcdOpsError } from '@etcd-ops/core';
import type { EtcdMember, ResponseHeader } from '@etcd-ops/etcd-client';
import type { Pace, ServiceContext } from '@etcd-ops/service-kit';
import { backlogNeedsGuard } from './backlog-guard.ts';
import { beginHistory } from './begin-history.ts';
import type { CaptureMemory } from './capture-memory.ts';
import { CaptureWatch } from './capture-watch.ts';
import { readRepositoryPoint } from './captured-points.ts';
import type { WatcherSettings } from './settings.ts';
import { DeltaTrigger } from './delta-trigger.ts';
import { DurabilityCheck } from './durability-check.ts';
import { FramePublisher, type PublishEnd } from './frame-publisher.ts';
import { requestFull } from './full-request.ts';
import { goOn } from './go-on.ts';
import { LeaseTracker } from './lease-tracker.ts';
import type { CaptureVoice } from './metrics.ts';
import { askMissedLeases } from './missed-leases.ts';
import { isBaseMissing, type RepositoryPoint } from './resume-point.ts';
import type { NewHistory, OpenWatch, SessionTools, WatchInSegments } from './session-tools.ts';
import { WatchGauge } from './watch-gauge.ts';
import { whereCaptureEnds, type StreamTail } from './where-capture-ends.ts';

export interface SessionOptions {
  spec: ClusterSpec;
  context: ServiceContext;
  settings: WatcherSettings;
  voice: CaptureVoice;
  /** Hints from the sessions before. */
  memory: CaptureMemory;
  member: EtcdMember;
  /** The linearizable read that it was chosen by. */
  head: ResponseHeader;
  /** What can wait until other captures are open, too. */
  later: Pace;
  /** Rows are being captured from here on. */
  onWatching: () => void;
  /** Rows are not being captured: what it waits for, in one line for people. */
  onWaiting: (what: string) => void;
  signal: AbortSignal;
}

/**
 * One opening of a cluster's capture: finds L, makes sure that the cluster goes on from there (or begins a new history), and
 * publishes what comes until something ends it. The next session finds L again, whatever ended this one: nothing is carried over
 * but hints.
 * @throws EtcdOpsError of etcd, the bus or the store; CANCELLED when the signal was aborted before rows were captured.
 */
export async function runCaptureSession(options: SessionOptions): Promise<PublishEnd> {
  const { context, settings, voice, signal } = options;
  // What still waits when the service stops gets a little longer than the service itself.
  const flush = new AbortController();
  const stopFlushTimer = abortLater(flush, signal, settings.flushTimeoutMs);
  const side = new SideWork(options);
  const { writer, ...tail } = await EventWriter.open(context.bus, voice.cluster, { signal });
  let watch: CaptureWatch | undefined;
  const leases = createLeaseTracker(options, () => watch?.gatherer.wake());
  const openWatch: SessionTools['openWatch'] = (anchor, recorded, segments) => {
    watch?.cancel();
    watch = createWatch(options, leases, { anchor, recorded, segments });
    return watch;
  };
  let head: ResponseHeader | undefined = options.head;
  const takeHead = (): ResponseHeader | undefined => {
    const taken = head;
    head = undefined;
    return taken;
  };
  const wantFull = (cause: FullTask['cause']): void => side.wantFull(cause);
  const tools: SessionTools = { ...options, takeHead, leases, writer, openWatch, wantFull };
  try {
    let next = await firstStep(tools, side, tail);
    for (;;) {
      const open = 'watch' in next ? next : await beginHistory(next, tools);
      options.onWatching();
      const { end, revision } = await capture(open, tools, flush.signal);
      const gap = gapBehind(end, revision, options.memory);
      if (gap === undefined) return end;
      next = { cause: 'gap', timeline: open.point.timeline, after: revision, ...gap };
    }
  } catch (error) {
    if (isEtcdOpsError(error, 'LIMIT_EXCEEDED')) options.memory.alwaysFragment();
    throw error;
  } finally {
    watch?.cancel();
    options.memory.keepLeases(leases.stop());
    stopFlushTimer();
    await side.end();
    writer.close();
  }
}

/** Whether what ended a watch means that revisions behind L will never come. */
function gapBehind(end: PublishEnd, revision: number, memory: CaptureMemory): { compacted?: number } | undefined {
  if (end.kind === 'hole') return memory.isHoleForGood(end.hole) ? {} : undefined;
  // A compaction that overtook L shows only here when nothing was recorded to compare L with.
  if (end.kind !== 'watch' || end.end.kind !== 'canceled') return undefined;
  const { compactRevision = 0 } = end.end;
  return compactRevision > revision ? { compacted: compactRevision } : undefined;
}

/** Finds L and decides how to go on from it. */
async function firstStep(tools: SessionTools, side: SideWork, tail: StreamTail): Promise<OpenWatch | NewHistory> {
  const { context, spec, memory } = tools;
  const { last, beginning } = tail;
  const { resume, state, repository, revisionBytes } = await whereCaptureEnds(tail, tools);
  memory.hintRevisionBytes(revisionBytes);
  if (resume === undefined) return { cause: 'first', timeline: 1 };
  side.run((signal) => askMissedLeases(last, resume.revision, tools, signal));
  const next = await goOn(resume, tools);
  // A catch-up by snapshot, and a new history, bring their own full.
  if (!('watch' in next) || next.point.revision !== resume.revision) return next;
  const wantMissingBase = (found: RepositoryPoint | undefined): void => {
    if (isBaseMissing(resume, found, state, beginning)) tools.wantFull(beginning?.cause ?? 'first');
  };
  if (repository !== 'as-named') wantMissingBase(repository);
  else side.later(async () => wantMissingBase(await readRepositoryPoint(context, spec)));
  return next;
}

/** Publishes from an open watch until it ends. */
async function capture(
  open: OpenWatch,
  tools: SessionTools,
  flush: AbortSignal,
): Promise<{ end: PublishEnd; revision: number }> {
  const { context, spec, settings, voice, member, leases, writer, memory } = tools;
  const { watch } = open;
  const { clock } = context;
  const trigger = new DeltaTrigger({
    bus: context.bus,
    voice,
    clock,
    deltaBytesMax: spec.snapshots.deltaBytesMax,
  });
  const guardBacklogs = backlogNeedsGuard(open.version ?? (await versionOf(member)));
  const { leaseRecordsPerFrameMax, lingerMs } = settings;
  const publisher = new FramePublisher(
    {
      ...{ writer, voice, leases, trigger, guardBacklogs, leaseRecordsPerFrameMax, lingerMs, clock },
      stopping: tools.signal,
      onLeases: (records, sequence) => memory.ttls.published(records, sequence),
      signal: flush,
    },
    open.point,
  );
  const gauge = new WatchGauge({
    watch,
    publisher,
    leases,
    voice,
    clock,
    memory,
    // Segments begin far behind by themselves.
    revisionsBehindMax: 2 * (open.inSegments === true ? settings.segmentsRevisionsMax : settings.plainRevisionsMax),
  });
  const periodMs = settings.durabilityCheckMs;
  const durability = new DurabilityCheck({ context, voice, watch, publisher, ttls: memory.ttls, periodMs });
  try {
    return { end: await publisher.run(watch), revision: publisher.point.revision };
  } finally {
    gauge.stop();
    await durability.stop();
    const { rowCount, rowBytes } = watch;
    const revisionCount = watch.assembler.lastCompleted - open.point.revision;
    memory.capturedRevision = publisher.point.revision;
    memory.rememberRows({ revisionCount, rowCount, rowBytes });
  }
}

/** Unknown counts as a version that needs every care. */
async function versionOf(member: EtcdMember): Promise<string> {
  return member.status().then(
    ({ version }) => version,
    () => '',
  );
}

function createWatch(
  { member, settings, memory, context, voice, signal }: SessionOptions,
  leases: LeaseTracker,
  { anchor, recorded, segments }: { anchor: number; recorded: string | null; segments: WatchInSegments | undefined },
): CaptureWatch {
  const { segmentRevisions, segmentsWaitingBytesMax: bytesMax } = settings;
  let pausedAtMs = 0;
  return new CaptureWatch({
    member,
    anchor,
    recorded,
    limits: settings,
    fragment: memory.wantsFragments(settings.fragmentRowBytesMin, segments?.revisionBytes),
    ...(segments === undefined
      ? {}
      : {
          segments: {
            headRevision: segments.headRevision,
            limits: { segmentRevisions, segmentsMax: segments.segmentsMax, bytesMax, tailRevisions: segmentRevisions },
          },
        }),
    stalledMsMax: settings.stalledMsMax,
    leases,
    now: () => context.clock.now(),
    onPressure: (paused) => {
      if (paused) pausedAtMs = context.clock.now();
      else voice.metrics.blockedSeconds.add({ cluster: voice.cluster }, (context.clock.now() - pausedAtMs) / 1_000);
    },
    signal,
  });
}

function createLeaseTracker(
  { member, settings, spec, context, voice }: SessionOptions,
  onRecord: () => void,
): LeaseTracker {
  return new LeaseTracker({
    ...settings,
    leaseListPeriodMs: Math.max(spec.snapshots.deltaPeriodMs, 1_000),
    source: member,
    now: () => context.clock.now(),
    onRecord,
    onError: (error) => voice.logger.warn({ reason: describeError(error) }, 'A question about leases failed'),
  });
}

/** What runs beside a session and ends with it. */
class SideWork {
  readonly #options: SessionOptions;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>[] = [];

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  wantFull(cause: FullTask['cause']): void {
    const { context, voice, settings } = this.#options;
    const request = requestFull({
      bus: context.bus,
      cause,
      voice,
      clock: context.clock,
      delayMs: settings.fullRequestDelayMs,
      signal: this.#stop.signal,
    });
    this.#running.push(
      request.then(
        () => undefined,
        (error: unknown) => {
          if (isEtcdOpsError(error, 'CANCELLED')) return;
          voice.logger.error({ error, cause }, 'No full snapshot could be asked for');
        },
      ),
    );
  }

  /** Must not fail. */
  run(work: (signal: AbortSignal) => Promise<void>): void {
    this.#running.push(work(this.#stop.signal));
  }

  /** What need not be known before rows are captured. */
  later(work: () => Promise<void>): void {
    const { later, voice } = this.#options;
    const { signal } = this.#stop;
    const run = async (): Promise<void> => {
      try {
        await later.turn(signal);
        await work();
      } catch (error) {
        if (signal.aborted) return;
        voice.logger.debug(
          { reason: describeError(error) },
          'Cannot look whether a full snapshot lies under what is captured',
        );
      }
    };
    this.#running.push(run());
  }

  async end(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#running);
  }
}

/** Aborts `target` some time after `signal`; returns how to forget about it. */
function abortLater(target: AbortController, signal: AbortSignal, delayMs: number): () => void {
  let timer: NodeJS.Timeout | undefined;
  const begin = (): void => {
    timer = setTimeout(() => target.abort(signal.reason), delayMs);
  };
  if (signal.aborted) begin();
  else signal.addEventListener('abort', begin, { once: true });
  return () => {
    signal.removeEventListener('abort', begin);
    clearTimeout(timer);
  };
}
