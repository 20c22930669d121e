import type { ClusterSpec } from '@etcd-ops/bus';
import {
  applyCollection,
  planCollection,
  removeObsoleteEvidence,
  retentionPolicyOf,
  type Collection,
  type CollectionReport,
  type ObjectStore,
  type RetentionDecision,
} from '@etcd-ops/core';

export interface CollectOptions {
  store: ObjectStore;
  spec: Pick<ClusterSpec, 'name' | 'retention' | 'timezone'>;
  orphanGraceMs: number;
  dryRun: boolean;
  now: () => number;
  signal: AbortSignal;
  onRemoved?: (decision: RetentionDecision) => void;
  /** Takes away what dead writers left behind. */
  sweep: () => Promise<number>;
}

/** What a run found and did, as the history has it. */
export interface CollectReport {
  dryRun: boolean;
  kept: DecisionSummary;
  /** Marked now; a later run removes it. In a dry run: what would have been. */
  marked: DecisionSummary;
  /** In a dry run: what would have gone. */
  removed: DecisionSummary & { objects: number; bytes: number };
  /** Marked, but not long enough ago. */
  waiting: number;
  /** Marked and due, but somebody reads it. */
  held: number;
  /** What the store would not delete, now or a while ago; it is asked again later. */
  refused: { count: number; problems: { key: string; problem: string }[] };
  /** Restorable ranges that are lost when everything planned has gone. */
  lost: { timeline: number; from: number; to: number; fromTime?: string; toTime?: string }[];
  /** Temporary files and parts of uploads of writers that died. */
  swept: number;
  /** Whether the repository is another one than before. */
  changed: boolean;
}

export interface DecisionSummary {
  /** Whole things: a full with its manifest is one. */
  count: number;
  byKind: Record<string, number>;
  byReason: Record<string, number>;
  /** The first of the keys, for people. */
  keys: string[];
}

/** A history line must stay small, however much went. */
const SHOWN_MAX = 20;

/**
 * Plans from a fresh listing and does what is due. Nothing is remembered between runs but marks in the repository itself: after a
 * crash the next run plans anew.
 * @throws EtcdOpsError STORE_..., MANIFEST_DAMAGED, CONFIG_INVALID, CANCELLED; what was deleted until then stays deleted.
 */
export async function collectGarbage(options: CollectOptions): Promise<CollectReport> {
  const { store, spec, orphanGraceMs, now, signal, dryRun } = options;
  const settings = {
    store,
    cluster: spec.name,
    policy: retentionPolicyOf({ ...spec.retention, timeZone: spec.timezone }),
    orphanGraceMs,
    graceMs: spec.retention.graceMs,
    now,
    signal,
  };
  const collection = await planCollection(settings);
  if (dryRun) return reportOf(collection, undefined);
  const { onRemoved, sweep } = options;
  const watched = onRemoved === undefined ? {} : { onRemoved };
  const done = await applyCollection(collection, { ...settings, sweep, ...watched });
  // Proofs and witnesses of what is no more: small, and nobody's backup.
  await removeObsoleteEvidence(store, collection.inventory, { signal });
  return reportOf(collection, done);
}

function reportOf({ plan, stage, losses }: Collection, done: CollectionReport | undefined): CollectReport {
  const removed = done?.removed ?? stage.remove;
  const problems = (done?.refused ?? []).map(({ key, problem }) => ({ key, problem }));
  return {
    dryRun: done === undefined,
    kept: summarize(plan.keep),
    marked: summarize(stage.mark),
    removed: {
      ...summarize(removed),
      objects: removed.reduce((sum, { keys }) => sum + keys.length, 0),
      bytes: removed.reduce((sum, { bytes }) => sum + bytes, 0),
    },
    waiting: stage.waiting.length,
    held: stage.held.length,
    refused: {
      count: stage.refused.length + problems.length + (done?.untried ?? 0),
      problems: problems.slice(0, SHOWN_MAX),
    },
    lost: losses.lost.slice(-SHOWN_MAX).map(({ fromTimeMs, toTimeMs, ...range }) => ({
      ...range,
      ...(fromTimeMs === undefined ? {} : { fromTime: new Date(fromTimeMs).toISOString() }),
      ...(toTimeMs === undefined ? {} : { toTime: new Date(toTimeMs).toISOString() }),
    })),
    swept: done?.swept ?? 0,
    changed:
      done !== undefined &&
      done.removed.length + done.marked.length + done.refused.length + done.swept + done.recordsRemoved > 0,
  };
}

function summarize(decisions: readonly RetentionDecision[]): DecisionSummary {
  const summary: DecisionSummary = { count: decisions.length, byKind: {}, byReason: {}, keys: [] };
  for (const { kind, reason, keys } of decisions) {
    summary.byKind[kind] = (summary.byKind[kind] ?? 0) + 1;
    summary.byReason[reason] = (summary.byReason[reason] ?? 0) + 1;
    if (summary.keys.length < SHOWN_MAX) summary.keys.push(keys.at(-1) ?? '');
  }
  return summary;
}
