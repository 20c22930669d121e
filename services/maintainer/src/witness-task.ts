import {
  positionKey,
  positions,
  type Bus,
  type ClusterSpec,
  type LastDone,
  type Position,
  type TaskOutcome,
} from '@etcd-ops/bus';
import {
  describeError,
  isEtcdOpsError,
  listWitnesses,
  readWitness,
  writeWitness,
  type ObjectStore,
  type WitnessRecord,
} from '@etcd-ops/core';
import type { CallOptions, EtcdCluster, EtcdMember } from '@etcd-ops/etcd-client';
import type { Clock, Logger, Metrics } from '@etcd-ops/service-kit';
import { readClusterView, type MemberView } from './cluster-view.ts';
import { compactRevisionOf } from './compact-revision.ts';
import { compareHistory, type HistoryOutcome } from './compare-history.ts';
import { planWitness, type WitnessPlan } from './witness-plan.ts';

export interface WitnessTaskOptions {
  spec: ClusterSpec;
  bus: Bus;
  store: ObjectStore;
  etcd: EtcdCluster;
  logger: Logger;
  metrics: WitnessMetrics;
  clock: Clock;
  signal: AbortSignal;
  /** The witness task of this cluster before this one. */
  lastDone?: LastDone | undefined;
}

export type WitnessMetrics = ReturnType<typeof createWitnessMetrics>;

export function createWitnessMetrics(metrics: Metrics) {
  const labels = { cluster: 'cluster' } as const;
  return {
    taken: metrics.counter({
      name: 'witnesses_total',
      help: 'Hashes that members gave, stored to prove backups by.',
      labels,
    }),
    disagreements: metrics.counter({
      name: 'witness_disagreements_total',
      help: 'Times that members gave different hashes for the same revision: one of them does not hold what the others hold.',
      labels,
    }),
  };
}

/** A compaction goes on for a while after its revision counts; asked too early, a member would read all its rows. */
const COMPACTION_MS = 60_000;

/** Stores what the living cluster says about its rows, where that is free or allowed to cost something. */
export async function runWitnessTask(options: WitnessTaskOptions): Promise<TaskOutcome> {
  const { spec, bus, store, etcd, logger, clock, signal } = options;
  const cluster = spec.name;
  const timeline = (await positionOf(bus, cluster))?.timeline;
  if (spec.proof.witnesses === 'off' || timeline === undefined) return nothing('nothing is captured of it yet');
  const call: CallOptions = { signal, timeoutMs: spec.timeouts.requestMs };
  // What the task before found out spares the store a listing each time.
  const known = knownWitnesses(options.lastDone, timeline);
  const { members } = await readClusterView(etcd, call);
  const first = members.find(
    ({ status, failure, isLearner }) => status !== undefined && failure === undefined && !isLearner,
  );
  if (first === undefined) return nothing('no member answers');
  const compactRevision = await compactRevisionOf(memberOf(etcd, first), known.compactRevision, call);
  const planFrom = ({ compactRevision: lastCompactRevision, scanMs: lastScanMs }: LastWitnesses): WitnessPlan => {
    const mode = spec.proof.witnesses === 'follower' ? 'follower' : 'free';
    return planWitness({ members, compactRevision, mode, nowMs: clock.now(), lastCompactRevision, lastScanMs });
  };
  const guess = planFrom(known);
  if (guess.kind === 'none') return nothing(guess.reason, { timeline, ...known });
  const last = await lastWitnesses(store, cluster, timeline, signal);
  const plan = planFrom(last);
  if (plan.kind === 'none') return nothing(plan.reason, { timeline, ...last });
  const asked = plan.kind === 'free' ? plan.members : [plan.member];
  // Before anybody reads all rows for a hash that could not be filed.
  const history = await historyOf(memberOf(etcd, asked[0]!), { ...options, timeline });
  if (history !== 'same') return nothing(NOT_OURS[history], { timeline, ...last });
  if (plan.kind === 'free') await clock.sleep(COMPACTION_MS, signal);
  const given: WitnessRecord[] = [];
  for (const view of asked) {
    const record = await ask(view, plan.kind === 'free' ? compactRevision : 0, { ...options, timeline, call });
    if (record !== undefined) given.push(record);
  }
  // A fork while they were asked: nobody could say which history they are about.
  if ((await positionOf(bus, cluster))?.timeline !== timeline) return nothing('a new timeline began meanwhile');
  const distinct = distinctOf(given);
  if (distinct.some((one) => distinct.some((other) => contradicts(one, other)))) {
    options.metrics.disagreements.add({ cluster });
    logger.error(
      { cluster, hashes: distinct.map(({ memberId, revision, hash }) => ({ memberId, revision, hash })) },
      'MEMBERS DISAGREE: for the same revision they hash to different values, so one of them is corrupt',
    );
  }
  for (const record of distinct) await writeWitness(store, record, { signal });
  options.metrics.taken.add({ cluster }, distinct.length);
  const isFree = plan.kind === 'free';
  const now: LastWitnesses = isFree ? { ...last, compactRevision } : { ...last, scanMs: clock.now() };
  return {
    changed: distinct.length > 0,
    summary: {
      kind: plan.kind,
      known: { timeline, ...(distinct.length > 0 ? now : last) },
      witnesses: distinct.map(({ revision, hash, memberId }) => ({ revision, hash, memberId })),
    },
  };
}

async function ask(
  view: MemberView,
  revision: number,
  options: WitnessTaskOptions & { timeline: number; call: CallOptions },
): Promise<WitnessRecord | undefined> {
  const { spec, etcd, logger, clock, timeline, call } = options;
  const { version } = view.status!;
  try {
    const member = memberOf(etcd, view);
    const answer = await member.hashKV(revision, revision === 0 ? { signal: call.signal } : call);
    // Asked afterwards: a member that holds what was captured has held it before, too.
    const history = await historyOf(member, options);
    if (history !== 'same') {
      logger.warn({ cluster: spec.name, endpoint: view.endpoint, reason: NOT_OURS[history] }, 'No witness is stored');
      return undefined;
    }
    return {
      version: 1,
      kind: 'witness',
      cluster: spec.name,
      timeline,
      clusterId: etcd.clusterId.toString(16),
      memberId: answer.memberId.toString(16),
      etcdVersion: version,
      revision: answer.revision,
      compactRevision: answer.compactRevision > 0 ? answer.compactRevision : -1,
      hash: answer.hash,
      // A hash that the compaction left was computed before it took anything away: it names the compaction before it.
      source: revision > 0 && answer.compactRevision < revision ? 'compaction' : 'scan',
      askedAt: new Date(clock.now()).toISOString(),
    };
  } catch (error) {
    if (isEtcdOpsError(error, 'CANCELLED')) throw error;
    // Restarted since, or compacted further: the next compaction gives the next one.
    logger.debug({ cluster: spec.name, endpoint: view.endpoint, reason: describeError(error) }, 'No witness was given');
    return undefined;
  }
}

function memberOf(etcd: EtcdCluster, { endpoint }: MemberView): EtcdMember {
  return etcd.members().find((member) => member.endpoint === endpoint)!;
}

async function positionOf(bus: Bus, cluster: string): Promise<Position | undefined> {
  return (await positions(bus).get(positionKey(cluster)))?.value;
}

const NOT_OURS: Readonly<Record<Exclude<HistoryOutcome, 'same'>, string>> = {
  other: 'the cluster does not hold what was captured of it last: it was restored, or this member lags',
  unknown: 'nothing that was captured can be compared with what the cluster holds',
};

/**
 * Whether a member goes on with the timeline. After a restore with the same ids, what it hashes is of a history that capture has not
 * noticed yet: filed under the old timeline, it would tell of a corruption that is none.
 */
async function historyOf(
  member: EtcdMember,
  { spec, bus, signal, timeline }: WitnessTaskOptions & { timeline: number },
): Promise<HistoryOutcome> {
  const position = await positionOf(bus, spec.name);
  if (position?.timeline !== timeline) return 'other';
  return await compareHistory(member, position, { signal, timeoutMs: spec.timeouts.requestMs });
}

interface LastWitnesses {
  /** C when the newest was given; -1 for none. */
  compactRevision: number;
  scanMs: number | undefined;
}

/** By their names, and the newest one's record. */
async function lastWitnesses(
  store: ObjectStore,
  cluster: string,
  timeline: number,
  signal: AbortSignal,
): Promise<LastWitnesses> {
  const entries = (await listWitnesses(store, cluster, { signal })).filter((entry) => entry.timeline === timeline);
  const newest = entries.at(-1);
  if (newest === undefined) return { compactRevision: -1, scanMs: undefined };
  const record = await readWitness(store, newest.key, [], { signal });
  const lastMs = Math.max(...entries.map(({ askedAtMs }) => askedAtMs));
  if (record === undefined) return { compactRevision: -1, scanMs: lastMs };
  // One of a compaction was asked at C itself.
  return { compactRevision: record.source === 'compaction' ? record.revision : record.compactRevision, scanMs: lastMs };
}

/** Of members that say the same, one is enough. */
function distinctOf(records: readonly WitnessRecord[]): WitnessRecord[] {
  return [...new Map(records.map((one) => [`${one.revision}/${one.compactRevision}/${one.hash}`, one])).values()];
}

function contradicts(one: WitnessRecord, other: WitnessRecord): boolean {
  return one.revision === other.revision && one.compactRevision === other.compactRevision && one.hash !== other.hash;
}

function nothing(reason: string, known?: LastWitnesses & { timeline: number }): TaskOutcome {
  return { changed: false, summary: { reason, ...(known === undefined ? {} : { known }) } };
}

/** As the task before left it; as if there were none, where it says nothing about this timeline. */
function knownWitnesses(done: LastDone | undefined, timeline: number): LastWitnesses {
  const known = done?.ok === true ? done.summary['known'] : undefined;
  const none = { compactRevision: -1, scanMs: undefined };
  if (typeof known !== 'object' || known === null || !('timeline' in known) || known.timeline !== timeline) return none;
  const { compactRevision, scanMs } = { compactRevision: undefined, scanMs: undefined, ...known } as Record<
    string,
    unknown
  >;
  return {
    compactRevision: typeof compactRevision === 'number' ? compactRevision : -1,
    scanMs: typeof scanMs === 'number' ? scanMs : undefined,
  };
}
