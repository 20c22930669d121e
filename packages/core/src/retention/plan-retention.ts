import type { DeltaEntry, FullEntry, Inventory, TimelineInventory } from '../repository/inventory.ts';
import { manifestKey } from '../repository/object-key.ts';
import { without } from '../repository/plan-restore.ts';
import { decideDeltas } from './decide-deltas.ts';
import { decideLeases } from './decide-leases.ts';
import { keptChains } from './kept-chains.ts';
import type { RetentionPolicy } from './policy.ts';
import { supersededDeltas } from './superseded.ts';

/** A restore point that somebody wants kept. */
export interface PinnedPoint {
  timeline: number;
  revision: number;
  /** The full that it was made from when it was pinned. */
  full: string;
}

export interface RetentionOptions {
  /** Milliseconds since the epoch. */
  nowMs: number;
  /** Half-written fulls, deltas that nothing can use, and larger deltas that replace others are left alone until they are this old. */
  orphanGraceMs: number;
  /**
   * Fulls whose chains the cluster vouched for, newest proof first: the first of them that is still there stays, with all deltas
   * that go on from it.
   */
  provenFullKeys?: readonly string[];
  /** What is pinned now; ended pins left away. */
  pins?: readonly PinnedPoint[];
  /** Objects that the store itself protects, and how: these are not tried. */
  locked?: ReadonlyMap<string, string>;
}

/** Why an object stays or goes, for programs; bounded, so that it may label a metric. */
export type RetentionCode =
  | 'newest'
  | 'proven'
  | 'pinned'
  | 'rule'
  | 'window'
  | 'needed'
  | 'young'
  | 'locked'
  | 'unrecorded'
  | 'damaged'
  | 'beyond-policy'
  | 'unneeded'
  | 'superseded'
  | 'stranded'
  | 'orphan';

export interface RetentionDecision {
  /** In the order of deletion: the manifest of a full before its data. */
  keys: string[];
  kind: 'full' | 'delta' | 'leases' | 'orphan' | 'damaged';
  bytes: number;
  code: RetentionCode;
  /** For people. */
  reason: string;
}

/** What becomes of a full or a delta. */
export interface ObjectDecision {
  decision: RetentionDecision;
  remove: boolean;
}

export interface RetentionPlan {
  keep: RetentionDecision[];
  /** In the order in which they are deleted; `removeObjects` says why. */
  remove: RetentionDecision[];
}

/**
 * Decides which objects may go. Pure. Whatever the rules say, these stay: the newest chain, the last chain that was proved,
 * what is pinned, what the point-in-time window needs, what the store protects, and what is damaged.
 *
 * Planning again at the same time, when all of it has been removed, removes nothing more.
 */
export function planRetention(inventory: Inventory, policy: RetentionPolicy, options: RetentionOptions): RetentionPlan {
  if (policy.rules.some(({ kind }) => kind === 'always')) return keepAll(inventory);
  const decided = decideObjects(inventory, policy, options);
  // Where clocks were wrong, what goes may have told of times by which something else was kept: that is as good as gone, too.
  for (let left = inventory, found = removed(decided, options); found.length > 0;) {
    left = without(left, new Set(found));
    const again = decideObjects(left, policy, options);
    found = removed(again, options);
    for (const key of found) decided.set(key, again.get(key)!);
  }
  const plan: RetentionPlan = { keep: [], remove: [] };
  const fulls = inventory.timelines.flatMap((timeline) => timeline.fulls);
  const deltas = inventory.timelines.flatMap((timeline) => timeline.deltas);
  const sorted = ({ key }: { key: string }): RetentionDecision[] => {
    const { decision, remove } = decided.get(key)!;
    if (remove) return [decision];
    plan.keep.push(decision);
    return [];
  };
  // Deltas newest first; the inventory has them oldest first.
  plan.remove.push(...fulls.flatMap(sorted), ...deltas.flatMap(sorted).toReversed());
  const isKept = ({ key }: { key: string }): boolean => !decided.get(key)!.remove;
  for (const { decision, remove } of inventory.timelines.flatMap((one) => decideLeases(one, { ...options, isKept }))) {
    (remove ? plan.remove : plan.keep).push(decision);
  }
  decideRest(inventory, options, plan);
  return heedLocks(plan, options.locked);
}

/** What the store protects is not among them. */
function removed(decided: ReadonlyMap<string, ObjectDecision>, { locked }: RetentionOptions): string[] {
  const goes = ({ decision, remove }: ObjectDecision): boolean =>
    remove && !decision.keys.some((key) => locked?.has(key) === true);
  return [...decided].filter(([, one]) => goes(one)).map(([key]) => key);
}

/** Every full, by the key of its data, and every delta. */
function decideObjects(
  whole: Inventory,
  policy: RetentionPolicy,
  options: RetentionOptions,
): Map<string, ObjectDecision> {
  const decided = new Map<string, ObjectDecision>();
  // What larger deltas replace is as good as gone: so planning again, when it has gone, finds the same.
  const replaced = superseded(whole, options);
  for (const { key, bytes } of allDeltas(whole.timelines)) {
    if (!replaced.has(key)) continue;
    const reason = 'a larger delta holds the same revisions';
    decided.set(key, { decision: { keys: [key], kind: 'delta', bytes, code: 'superseded', reason }, remove: true });
  }
  const inventory = without(whole, replaced);
  const kept = keptChains(inventory, policy, options);
  for (const timeline of inventory.timelines) {
    const own = kept.get(timeline.timeline)!;
    for (const full of timeline.fulls) {
      const { code, reason } = own.fulls.get(full.key) ?? {
        code: 'beyond-policy',
        reason: 'no rule of the policy keeps it',
      };
      decided.set(full.key, { decision: decideFull(full, code, reason), remove: code === 'beyond-policy' });
    }
    for (const one of decideDeltas(timeline, own, options)) decided.set(one.decision.keys[0]!, one);
  }
  return decided;
}

/** Deltas that a larger one replaces which has lain there for a while, whose time has come, and which no proof speaks against. */
function superseded(inventory: Inventory, { nowMs, orphanGraceMs }: RetentionOptions): Set<string> {
  const doubted = new Set((inventory.doubts ?? []).map(({ key }) => key));
  const mayReplace = ({ key, modifiedAtMs, lastObservedMs }: DeltaEntry): boolean =>
    nowMs - modifiedAtMs >= orphanGraceMs && lastObservedMs <= nowMs && !doubted.has(key);
  return new Set(inventory.timelines.flatMap(({ deltas }) => [...supersededDeltas(deltas, mayReplace)]));
}

/** Halves of fulls, and what is damaged. */
function decideRest(inventory: Inventory, options: RetentionOptions, plan: RetentionPlan): void {
  for (const entry of inventory.incomplete) {
    // Negative for what was written after `nowMs` by the store's clock.
    const isOld = options.nowMs - entry.modifiedAtMs >= options.orphanGraceMs;
    const what = entry.missing === 'manifest' ? 'a full without manifest' : 'a manifest without its full';
    const facts = { keys: [entry.key], kind: 'orphan', bytes: entry.bytes } as const;
    if (isOld) plan.remove.push({ ...facts, keys: [entry.key], code: 'orphan', reason: what });
    else plan.keep.push({ ...facts, keys: [entry.key], code: 'young', reason: `${what}, perhaps being written` });
  }
  for (const { key, reason } of inventory.damaged) {
    const why = `${reason}: left for a person to judge`;
    plan.keep.push({ keys: [key], kind: 'damaged', bytes: 0, code: 'damaged', reason: why });
  }
}

/** Nothing that the store protects is tried: it would be refused, or only hidden. */
export function heedLocks(plan: RetentionPlan, locked: ReadonlyMap<string, string> | undefined): RetentionPlan {
  if (locked === undefined || locked.size === 0) return plan;
  const lockOf = ({ keys }: RetentionDecision): string | undefined =>
    keys.map((key) => locked.get(key)).find((lock) => lock !== undefined);
  const held = plan.remove.flatMap((decision): RetentionDecision[] => {
    const lock = lockOf(decision);
    return lock === undefined ? [] : [{ ...decision, code: 'locked', reason: `${lock}; ${decision.reason}` }];
  });
  return {
    keep: [...plan.keep, ...held],
    remove: plan.remove.filter((decision) => lockOf(decision) === undefined),
  };
}

function keepAll(inventory: Inventory): RetentionPlan {
  const facts = { code: 'rule', reason: 'the policy keeps everything' } as const;
  const keepOne = (kind: RetentionDecision['kind'], key: string, bytes: number): RetentionDecision => ({
    ...facts,
    keys: [key],
    kind,
    bytes,
  });
  const keep = [
    ...inventory.timelines.flatMap(({ fulls }) => fulls.map((full) => decideFull(full, facts.code, facts.reason))),
    ...allDeltas(inventory.timelines).map(({ key, bytes }) => keepOne('delta', key, bytes)),
    ...inventory.timelines.flatMap(({ leases = [] }) => leases.map(({ key, bytes }) => keepOne('leases', key, bytes))),
    ...inventory.incomplete.map(({ key, bytes }) => keepOne('orphan', key, bytes)),
    ...inventory.damaged.map(({ key }) => keepOne('damaged', key, 0)),
  ];
  return { keep, remove: [] };
}

function allDeltas(timelines: readonly TimelineInventory[]): DeltaEntry[] {
  return timelines.flatMap(({ deltas }) => deltas);
}

function decideFull(full: FullEntry, code: RetentionCode, reason: string): RetentionDecision {
  return { keys: [manifestKey(full.key), full.key], kind: 'full', bytes: full.bytes, code, reason };
}
