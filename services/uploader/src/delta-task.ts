import {
  isAlarming,
  positionKey,
  positions,
  readEvents,
  streamFacts,
  trimEvents,
  type Bus,
  type DeltaTask,
  type EventRead,
  type Expectation,
  type Position,
  type TaskOutcome,
} from '@etcd-ops/bus';
import { EtcdOpsError, type ObjectStore, type Packing } from '@etcd-ops/core';
import type { Clock, Logger } from '@etcd-ops/service-kit';
import { cutDeltas, type CutPosition, type CutStep } from './delta-cutter.ts';
import { beginsTimeline, makeDurable, type DurableStep } from './durable-step.ts';
import type { UploaderMetrics } from './metrics.ts';
import { positionFromRepository } from './position-from-repository.ts';
import { clusterIdOfTimeline, recordTimeline } from './repository-records.ts';
import { isTrimmedBeyond, positionOfDeltas } from './trimmed-beyond.ts';

export interface DeltaTaskOptions {
  bus: Bus;
  store: ObjectStore;
  deltaObjectBytesMax: number;
  packing: Packing;
  logger: Logger;
  metrics: UploaderMetrics;
  clock: Clock;
  signal: AbortSignal;
}

/** Where the repository stands, and how the bus knows it: `revision` undefined means that the bus does not. */
interface Recorded {
  position: CutPosition | undefined;
  revision: number | undefined;
  deltaKey?: string | undefined;
}

/** Histories that a line of the history names, the newest. */
const STARTS_MAX = 16;
/** How often another uploader may be faster before the task is handed back. */
const RACES_MAX = 20;

/**
 * Makes the events up to the task's cut durable: object, then position, then trim. A crash between any two is harmless: the same
 * events give the same object again, and what a position covers is durable before it moves.
 */
export async function runDeltaTask(task: DeltaTask, options: DeltaTaskOptions): Promise<TaskOutcome> {
  const summary: DeltaSummary = { deltas: [], leases: 0, starts: [], bytes: 0, revision: 0 };
  let before: Recorded | undefined;
  for (let race = 0; race < RACES_MAX; race++) {
    const recorded = await readRecorded(task.cluster, options);
    // Messages that vanish while nobody moves the position were not trimmed by another uploader: they are lost, and that is said.
    const alone = before !== undefined && recorded.revision === before.revision;
    const outcome = await cutOnce(task, recorded, { summary, alone }, options);
    if (outcome === 'done') return outcomeOf(summary);
    before = recorded;
  }
  throw new EtcdOpsError('BUS_FAILED', {
    message: `Other uploaders moved the position of ${task.cluster} ${RACES_MAX} times meanwhile`,
  });
}

interface DeltaSummary {
  deltas: string[];
  /** Lease records that were stored by themselves. */
  leases: number;
  /** Histories that began: what a person may have to know of. */
  starts: { cause: string; timeline: number; revision: number; after?: number; compacted?: number }[];
  bytes: number;
  revision: number;
}

async function cutOnce(
  task: DeltaTask,
  recorded: Recorded,
  { summary, alone }: { summary: DeltaSummary; alone: boolean },
  options: DeltaTaskOptions,
): Promise<'done' | 'overtaken'> {
  const { bus, logger, signal, deltaObjectBytesMax, packing } = options;
  const { cluster, cutSequence } = task;
  let trimmed = false;
  /** Whether every message up to the cut is durable or a harmless repetition. */
  let isAllKnown = true;
  // From the oldest message that there is, not from the recorded sequence: a server that lost its tail gives its sequences out again.
  // What is durable already is clipped by its revision.
  const { firstSequence, lastSequence } = await streamFacts(bus, cluster);
  const position = await provenPosition(recorded, firstSequence, cluster, options);
  const expected = await expectation(cluster, position, options.store);
  const isRecordMissing = position !== undefined && expected === undefined;
  const read = readEvents(bus, cluster, {
    from: firstSequence,
    to: cutSequence,
    ...(expected === undefined ? {} : { expected }),
    onSkipped: (skipped) => {
      if (isAlarming(skipped)) isAllKnown = false;
      if (skipped.reason === 'missing' && !alone) trimmed = true;
      else if (isAlarming(skipped)) logger.error({ cluster, skipped }, 'Messages of the event stream do not count');
    },
    signal,
  });
  let { revision, deltaKey } = recorded;
  const steps = cutDeltas({
    cluster,
    from: position,
    events: recordingKnown(
      untilTrimmed(read, () => trimmed),
      isRecordMissing ? position : undefined,
      cluster,
      options,
    ),
    deltaObjectBytesMax,
    packing,
    signal,
    onUnanchored: ({ sequence }) => {
      isAllKnown = false;
      logger.error({ cluster, sequence }, 'Events that hang on nothing recorded do not count');
    },
  });
  try {
    for await (const step of steps) {
      const durable = await makeDurable(step, cluster, options);
      if (durable.step.kind !== 'leases') deltaKey = durable.step.kind === 'delta' ? durable.step.key : undefined;
      revision = await savePosition(durable.step, { cluster, revision, deltaKey }, options);
      if (revision === undefined) return 'overtaken';
      await trimEvents(bus, cluster, durable.step.position.sequence);
      noteStep(durable, cluster, summary, options);
      // What it does not cover goes into the next object.
      if (durable.step.position.sequence !== step.position.sequence) return 'overtaken';
    }
    if (revision === recorded.revision && position !== undefined) {
      const covered = coveredSequence(position.sequence, { cutSequence, lastSequence, isAllKnown });
      if (covered !== undefined) await coverSequence(position, covered, { cluster, revision }, options);
    }
    return 'done';
  } catch (error) {
    if (error instanceof TrimmedMeanwhile) return 'overtaken';
    throw error;
  }
}

/** The recorded position, unless the bus lost the newest one: then without the rows that only the repository has now, nothing would count. */
async function provenPosition(
  { position }: Recorded,
  firstSequence: number,
  cluster: string,
  { store, logger, signal }: DeltaTaskOptions,
): Promise<CutPosition | undefined> {
  if (position === undefined || !isTrimmedBeyond(position, firstSequence)) return position;
  const proven = await positionOfDeltas(store, cluster, position, signal);
  const { timeline, revision } = proven;
  if (timeline !== position.timeline || revision !== position.revision) {
    logger.warn(
      { cluster, recorded: position.revision, timeline, revision },
      'The repository is ahead of its recorded position',
    );
  }
  return proven;
}

/** Another uploader stored and trimmed what was just being read: an object of the rest of it would be one that nobody asked for. */
class TrimmedMeanwhile extends Error {}

async function* untilTrimmed(events: AsyncIterable<EventRead>, isTrimmed: () => boolean): AsyncGenerator<EventRead> {
  for await (const event of events) {
    if (isTrimmed()) throw new TrimmedMeanwhile();
    yield event;
  }
  if (isTrimmed()) throw new TrimmedMeanwhile();
}

/** A full may know a new history before its first delta is cut: the start is nothing new then, but how it began is still to be said. */
async function* recordingKnown(
  events: AsyncIterable<EventRead>,
  position: CutPosition | undefined,
  cluster: string,
  { store }: DeltaTaskOptions,
): AsyncGenerator<EventRead> {
  for await (const event of events) {
    const isKnown =
      event.kind === 'start' && event.timeline === position?.timeline && event.revision <= position.revision;
    if (isKnown && beginsTimeline(event)) await recordTimeline(store, { ...event, cluster, atMs: event.observedMs });
    yield event;
  }
}

/**
 * What a task that stored nothing learned of the recorded sequence. A stream that lost its tail will give its sequences out again: with
 * the old one recorded, the next events would seem to be stored. And what a writer repeated behind the position would be looked at again
 * and again, also under the recorded sequence itself: that is recorded, so that the cluster is calm.
 */
function coveredSequence(
  recorded: number,
  { cutSequence, lastSequence, isAllKnown }: { cutSequence: number; lastSequence: number; isAllKnown: boolean },
): number | undefined {
  if (lastSequence < recorded) return lastSequence;
  const covered = Math.min(cutSequence, lastSequence);
  return isAllKnown && covered >= recorded ? covered : undefined;
}

async function coverSequence(
  position: CutPosition,
  sequence: number,
  { cluster, revision }: { cluster: string; revision: number | undefined },
  { bus, clock }: DeltaTaskOptions,
): Promise<void> {
  if (revision === undefined) return;
  const updatedAt = new Date(clock.now()).toISOString();
  await positions(bus).update(positionKey(cluster), { version: 1, ...position, sequence, updatedAt }, revision);
}

/** The new revision of the position; undefined when somebody else moved it. */
async function savePosition(
  step: CutStep,
  stored: { cluster: string; revision: number | undefined; deltaKey: string | undefined },
  { bus, clock }: DeltaTaskOptions,
): Promise<number | undefined> {
  const value: Position = {
    version: 1,
    ...step.position,
    ...(stored.deltaKey === undefined ? {} : { deltaKey: stored.deltaKey }),
    updatedAt: new Date(clock.now()).toISOString(),
  };
  const key = positionKey(stored.cluster);
  return stored.revision === undefined
    ? positions(bus).create(key, value)
    : positions(bus).update(key, value, stored.revision);
}

async function readRecorded(cluster: string, { bus, store, signal }: DeltaTaskOptions): Promise<Recorded> {
  const stored = await positions(bus).get(positionKey(cluster));
  if (stored !== undefined) {
    const { timeline, revision, digest, sequence, deltaKey } = stored.value;
    return { position: { timeline, revision, digest, sequence }, revision: stored.revision, deltaKey };
  }
  return { position: await positionFromRepository({ bus, store, cluster, signal }), revision: undefined };
}

async function expectation(
  cluster: string,
  position: CutPosition | undefined,
  store: ObjectStore,
): Promise<Expectation | undefined> {
  if (position === undefined) return undefined;
  const clusterId = await clusterIdOfTimeline(store, cluster, position.timeline);
  return clusterId === undefined
    ? undefined
    : { timeline: position.timeline, clusterId, revision: position.revision + 1 };
}

function noteStep(
  { step, storedBytes }: DurableStep,
  cluster: string,
  summary: DeltaSummary,
  { metrics, logger }: DeltaTaskOptions,
): void {
  summary.revision = step.position.revision;
  metrics.durableRevision.set({ cluster }, step.position.revision);
  if (step.kind === 'start') {
    const { timeline, revision, cause, after, compacted } = step.start;
    summary.starts.push({
      ...{ cause, timeline, revision },
      ...(after === undefined ? {} : { after }),
      ...(compacted === undefined ? {} : { compacted }),
    });
    logger.info({ cluster, timeline, revision, cause }, 'The repository follows a new history');
    return;
  }
  if (step.kind === 'leases') {
    summary.leases += step.object.records.length;
    summary.bytes += storedBytes;
    metrics.leaseRecords.add({ cluster }, step.object.records.length);
    return;
  }
  summary.deltas.push(step.key);
  summary.bytes += storedBytes;
  metrics.deltas.add({ cluster });
  metrics.deltaBytes.add({ cluster }, storedBytes);
}

function outcomeOf({ deltas, leases, starts, bytes, revision }: DeltaSummary): TaskOutcome {
  // The history's line must stay small, however many objects a long outage left to make.
  const summary = {
    objects: deltas.length,
    deltas: deltas.slice(-8),
    ...(leases === 0 ? {} : { leases }),
    bytes,
    revision,
  };
  return {
    changed: revision > 0,
    summary: starts.length === 0 ? summary : { ...summary, starts: starts.slice(-STARTS_MAX) },
  };
}
