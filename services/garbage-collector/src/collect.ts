import type { ClusterSpec } from '@etcd-ops/bus';
import {
  applyRetention,
  planRetention,
  readInventory,
  type ObjectStore,
  type RetentionDecision,
  type RetentionPlan,
  type RetentionPolicy,
} from '@etcd-ops/core';

export interface CollectOptions {
  store: ObjectStore;
  cluster: string;
  retention: ClusterSpec['retention'];
  orphanGraceMs: number;
  dryRun: boolean;
  nowMs: number;
  signal: AbortSignal;
  onRemoved?: (decision: RetentionDecision) => void;
}

export interface CollectReport {
  dryRun: boolean;
  kept: DecisionSummary;
  /** In a dry run: what would have gone. */
  removed: DecisionSummary & { objects: number; bytes: number };
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
const KEYS_SHOWN_MAX = 20;

/**
 * Plans from a fresh listing and applies the plan. Nothing is remembered between runs: after a crash the next one plans anew.
 * @throws EtcdOpsError STORE_FAILED, CANCELLED; what was deleted until then stays deleted.
 */
export async function collectGarbage(options: CollectOptions): Promise<CollectReport> {
  const { store, cluster, retention, signal } = options;
  const inventory = await readInventory(store, cluster, { signal });
  const plan = planRetention(inventory, policyOf(retention), {
    nowMs: options.nowMs,
    orphanGraceMs: options.orphanGraceMs,
    deltaRetention: retention.deltaRetention,
  });
  const done = options.dryRun
    ? wouldRemove(plan)
    : await applyRetention(store, plan, {
        signal,
        ...(options.onRemoved === undefined ? {} : { onRemoved: options.onRemoved }),
      });
  return { dryRun: options.dryRun, kept: summarize(plan.keep), removed: { ...summarize(plan.remove), ...done } };
}

function policyOf({ policy, maxBackups }: ClusterSpec['retention']): RetentionPolicy {
  return policy === 'KeepAlways' ? { kind: 'KeepAlways' } : { kind: 'LimitBased', maxBackups };
}

function wouldRemove(plan: RetentionPlan): { objects: number; bytes: number } {
  return {
    objects: plan.remove.reduce((sum, { keys }) => sum + keys.length, 0),
    bytes: plan.remove.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

function summarize(decisions: readonly RetentionDecision[]): DecisionSummary {
  const summary: DecisionSummary = { count: decisions.length, byKind: {}, byReason: {}, keys: [] };
  for (const { kind, reason, keys } of decisions) {
    summary.byKind[kind] = (summary.byKind[kind] ?? 0) + 1;
    summary.byReason[reason] = (summary.byReason[reason] ?? 0) + 1;
    if (summary.keys.length < KEYS_SHOWN_MAX) summary.keys.push(keys.at(-1) ?? '');
  }
  return summary;
}
