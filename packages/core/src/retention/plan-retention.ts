import { chains, DeltaCoverage, type Chain } from '../repository/coverage.ts';
import type { DeltaEntry, FullEntry, Inventory, TimelineInventory } from '../repository/inventory.ts';
import { manifestKey } from '../repository/object-key.ts';

export type RetentionPolicy =
  /** Keeps this many fulls, the newest, counted over all timelines; at least 1. */
  | { kind: 'LimitBased'; maxBackups: number }
  /** Deletes nothing, ever. */
  | { kind: 'KeepAlways' };

export interface RetentionOptions {
  /** Milliseconds since the epoch. */
  nowMs: number;
  /** Half-written fulls and deltas that nothing can use are left alone until they are this old. */
  orphanGraceMs: number;
  /**
   * `with-base`: a delta lives as long as a full that can use it, so every moment since the oldest kept full stays
   * restorable. `newest-chain`: only the newest full keeps its deltas (as etcd-backup-restore does): older moments are then
   * restorable only where a full covers them.
   */
  deltaRetention: 'with-base' | 'newest-chain';
  /** The full of the last chain that was proved restorable: it and its deltas stay. */
  provenChain?: { fullKey: string };
  /** Fulls that somebody pinned: they stay, with the deltas that `deltaRetention` grants them. */
  pinned?: ReadonlySet<string>;
}

export interface RetentionDecision {
  /** In the order of deletion: the manifest of a full before its data. */
  keys: string[];
  kind: 'full' | 'delta' | 'orphan' | 'damaged';
  bytes: number;
  /** For people. */
  reason: string;
}

export interface RetentionPlan {
  keep: RetentionDecision[];
  /** In the order in which `applyRetention` deletes; see there why. */
  remove: RetentionDecision[];
}

interface KeptChain {
  chain: Chain;
  reason: string;
  /** Whether its deltas stay, too. */
  withDeltas: boolean;
}

/**
 * Decides which objects may go. Pure. What stays is all that is needed to restore every revision that the kept fulls (with
 * the deltas granted to them) could make before. The newest chain always stays, whatever the policy says.
 */
export function planRetention(inventory: Inventory, policy: RetentionPolicy, options: RetentionOptions): RetentionPlan {
  if (policy.kind === 'KeepAlways') return keepAll(inventory);
  const kept = keptChains(inventory, Math.max(1, policy.maxBackups), options);
  const plan: RetentionPlan = { keep: [], remove: [] };
  const removedFulls: FullEntry[] = [];
  for (const timeline of inventory.timelines) {
    for (const full of timeline.fulls) {
      const reason = kept.get(full.key)?.reason;
      if (reason === undefined) removedFulls.push(full);
      else plan.keep.push(decideFull(full, reason));
    }
  }
  const limit = `beyond the newest ${policy.maxBackups} fulls`;
  plan.remove.push(...removedFulls.map((full) => decideFull(full, limit)));
  const lastBased = inventory.timelines.findLast(({ fulls }) => fulls.length > 0)?.timeline ?? 0;
  const deltas = inventory.timelines.flatMap((timeline) => {
    return decideDeltas(timeline, kept, { ...options, isClosed: timeline.timeline < lastBased });
  });
  plan.keep.push(...deltas.filter(({ remove }) => !remove).map(({ decision }) => decision));
  // Newest first; the inventory has them oldest first.
  plan.remove.push(
    ...deltas
      .filter(({ remove }) => remove)
      .map(({ decision }) => decision)
      .toReversed(),
  );
  decideRest(inventory, options, plan);
  return plan;
}

function keptChains(inventory: Inventory, maxBackups: number, options: RetentionOptions): Map<string, KeptChain> {
  const all = inventory.timelines.flatMap(chains);
  const newest = all.at(-1);
  const counted = new Set(all.slice(-maxBackups).map(({ full }) => full.key));
  const kept = new Map<string, KeptChain>();
  for (const chain of all) {
    const { key } = chain.full;
    const withBase = options.deltaRetention === 'with-base';
    if (chain === newest) kept.set(key, { chain, reason: 'the newest chain', withDeltas: true });
    else if (key === options.provenChain?.fullKey) {
      kept.set(key, { chain, reason: 'the last chain that was proved', withDeltas: true });
    } else if (options.pinned?.has(key) === true) kept.set(key, { chain, reason: 'pinned', withDeltas: withBase });
    else if (counted.has(key)) {
      kept.set(key, { chain, reason: `among the newest ${maxBackups} fulls`, withDeltas: withBase });
    }
  }
  return kept;
}

function decideDeltas(
  timeline: TimelineInventory,
  kept: ReadonlyMap<string, KeptChain>,
  options: RetentionOptions & { isClosed: boolean },
): { decision: RetentionDecision; remove: boolean }[] {
  const all = chains(timeline);
  const needed = reachOf(all.filter(({ full }) => kept.get(full.key)?.withDeltas === true));
  const usable = reachOf(all);
  const oldestRevision = timeline.fulls[0]?.revision ?? 0;
  const newestRevision = timeline.fulls.at(-1)?.revision ?? 0;
  return timeline.deltas.map((delta) => {
    const decide = (remove: boolean, reason: string): { decision: RetentionDecision; remove: boolean } => {
      return { decision: { keys: [delta.key], kind: 'delta', bytes: delta.bytes, reason }, remove };
    };
    if (overlaps(needed, delta)) return decide(false, 'a kept full needs it');
    // Behind the newest full: what is missing before it may yet be captured again, or a full may follow. Not in a timeline that ended.
    if (delta.last > newestRevision && !options.isClosed) return decide(false, 'nothing newer replaces it yet');
    const isStranded = !overlaps(usable, delta) && delta.last > oldestRevision;
    if (isStranded && ageMs(delta, options) < options.orphanGraceMs) {
      return decide(false, 'no chain reaches it, but it is young');
    }
    if (isStranded) return decide(true, 'no chain reaches it');
    return decide(
      true,
      options.deltaRetention === 'with-base' ? 'no kept full needs it' : 'not part of the newest chain',
    );
  });
}

/** The revisions above their fulls that chains reach, as runs. */
function reachOf(reaching: readonly Chain[]): DeltaCoverage {
  const spans = reaching.map(({ full, to }) => ({ first: full.revision + 1, last: to }));
  return new DeltaCoverage(spans.filter(({ first, last }) => first <= last));
}

function overlaps(coverage: DeltaCoverage, delta: DeltaEntry): boolean {
  return coverage.runs.some(({ from, to }) => delta.first <= to && delta.last >= from);
}

/** Halves of fulls, and what is damaged. */
function decideRest(inventory: Inventory, options: RetentionOptions, plan: RetentionPlan): void {
  for (const entry of inventory.incomplete) {
    const isOld = ageMs(entry, options) >= options.orphanGraceMs;
    const what = entry.missing === 'manifest' ? 'a full without manifest' : 'a manifest without its full';
    const decision: RetentionDecision = {
      keys: [entry.key],
      kind: 'orphan',
      bytes: entry.bytes,
      reason: `${what}${isOld ? '' : ', perhaps being written'}`,
    };
    (isOld ? plan.remove : plan.keep).push(decision);
  }
  for (const { key, reason } of inventory.damaged) {
    plan.keep.push({ keys: [key], kind: 'damaged', bytes: 0, reason: `${reason}: left for a person to judge` });
  }
}

function keepAll(inventory: Inventory): RetentionPlan {
  const reason = 'the policy keeps everything';
  const keep = [
    ...inventory.timelines.flatMap(({ fulls }) => fulls.map((full) => decideFull(full, reason))),
    ...inventory.timelines.flatMap(({ deltas }) =>
      deltas.map((delta): RetentionDecision => ({ keys: [delta.key], kind: 'delta', bytes: delta.bytes, reason })),
    ),
    ...inventory.incomplete.map((entry): RetentionDecision => ({
      keys: [entry.key],
      kind: 'orphan',
      bytes: entry.bytes,
      reason,
    })),
    ...inventory.damaged.map(({ key }): RetentionDecision => ({ keys: [key], kind: 'damaged', bytes: 0, reason })),
  ];
  return { keep, remove: [] };
}

function decideFull(full: FullEntry, reason: string): RetentionDecision {
  return { keys: [manifestKey(full.key), full.key], kind: 'full', bytes: full.bytes, reason };
}

/** Negative for what was written after `nowMs` by the store's clock. */
function ageMs(entry: { modifiedAtMs: number }, options: RetentionOptions): number {
  return options.nowMs - entry.modifiedAtMs;
}
