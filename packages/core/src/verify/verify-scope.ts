import { EtcdOpsError } from '../base/errors.ts';
import { chains, DeltaCoverage, rangesOf } from '../repository/coverage.ts';
import { chooseDeltas } from '../repository/choose-deltas.ts';
import type { DeltaEntry, FullEntry, Inventory, TimelineInventory } from '../repository/inventory.ts';
import { isOfCluster } from '../repository/full-origin.ts';
import { noBackup } from '../repository/not-restorable.ts';
import { planRestore } from '../repository/plan-restore.ts';

/** What is verified: everything; a full with the deltas behind it; or what makes one revision. */
export type VerifyScope =
  | { kind: 'all'; timeline?: number | undefined }
  | { kind: 'newest' }
  | { kind: 'snapshot'; key: string }
  | { kind: 'revision'; revision: number; timeline?: number | undefined };

/** One chain to prove: rebuilt from `full` up to `to`. */
export interface ChainTarget {
  timeline: TimelineInventory;
  full: FullEntry;
  to: number;
  /** Fulls of the cluster inside of it that it is held against. */
  fulls: FullEntry[];
}

export interface Scoped {
  fulls: FullEntry[];
  deltas: DeltaEntry[];
  targets: ChainTarget[];
  /** Listings of other timelines are not the question. */
  timeline: number | undefined;
}

/** @throws EtcdOpsError NO_BACKUP, REVISION_NOT_RESTORABLE, STORE_NOT_FOUND for an unknown snapshot. */
export function scopeOf(inventory: Inventory, scope: VerifyScope): Scoped {
  switch (scope.kind) {
    case 'all':
      return allOf(inventory, scope.timeline);
    case 'newest':
      return newestOf(inventory);
    case 'snapshot': {
      const { full, timeline } = planRestore(inventory, { kind: 'snapshot', key: scope.key });
      return chainOf(timelineOf(inventory, timeline), full);
    }
    case 'revision': {
      const { revision, timeline } = scope;
      const plan = planRestore(inventory, {
        kind: 'revision',
        revision,
        ...(timeline === undefined ? {} : { timeline }),
      });
      const found = timelineOf(inventory, plan.timeline);
      // A cut full is proven as it is: what it holds up to the revision is part of it.
      const target = targetOf(found, plan.full, Math.max(revision, plan.full.revision));
      return { fulls: [plan.full], deltas: plan.deltas, targets: [target], timeline: plan.timeline };
    }
  }
}

/**
 * Every full up to the next one, the last up to the end of its deltas. What the cluster gave goes on to the next full that it gave: what
 * was made in between, of these very deltas, says nothing about them. A product goes on to the next full of any kind.
 */
function allOf(inventory: Inventory, wanted: number | undefined): Scoped {
  const timelines = inventory.timelines.filter(({ timeline }) => wanted === undefined || timeline === wanted);
  const fulls = timelines.flatMap((timeline) => timeline.fulls);
  if (fulls.length === 0) throw noBackup(inventory, wanted);
  const deltas = timelines.flatMap((timeline) => timeline.deltas);
  const targets = timelines.flatMap((timeline) => {
    return chains(timeline).map(({ full, to }) => {
      const next = timeline.fulls.find(
        (other) => other.revision > full.revision && (isOfCluster(other) || !isOfCluster(full)),
      );
      return targetOf(timeline, full, next === undefined ? to : Math.min(to, next.revision));
    });
  });
  return { fulls, deltas, targets, timeline: wanted };
}

/**
 * What a restore of the newest state uses, and the chain before it: that is held against the newest full of the cluster, so that the
 * deltas in between and the full bear each other out. Where a product is the newest, the newest full of the cluster is proved, too.
 */
function newestOf(inventory: Inventory): Scoped {
  const timeline = inventory.timelines.findLast(({ fulls }) => fulls.length > 0);
  if (timeline === undefined) throw noBackup(inventory);
  const newest = timeline.fulls.at(-1)!;
  const end = rangesOf(timeline).at(-1)!.to;
  const given = timeline.fulls.findLast(isOfCluster);
  const all = chains(timeline);
  const bases = new Set([newest.key, given?.key]);
  const targets = all
    .filter(({ full }) => bases.has(full.key))
    .map(({ full, to }) => targetOf(timeline, full, to))
    .toReversed();
  const before = all.findLast(
    ({ full, to }) => given !== undefined && full.revision < given.revision && to >= given.revision,
  );
  if (before !== undefined) targets.push(targetOf(timeline, before.full, given!.revision));
  const fulls = targets.map(({ full }) => full);
  const from = Math.min(...fulls.map(({ revision }) => revision));
  return { fulls, deltas: chooseDeltas(timeline.deltas, from, end) ?? [], targets, timeline: timeline.timeline };
}

function chainOf(timeline: TimelineInventory, full: FullEntry): Scoped {
  const to = new DeltaCoverage(timeline.deltas).reachFrom(full.revision);
  const deltas = chooseDeltas(timeline.deltas, full.revision, to) ?? [];
  return { fulls: [full], deltas, targets: [targetOf(timeline, full, to)], timeline: timeline.timeline };
}

/** More fulls than this would cost more than they prove: each is read and hashed. */
const FULLS_MAX = 2;

function targetOf(timeline: TimelineInventory, full: FullEntry, to: number): ChainTarget {
  const inside = timeline.fulls.filter(
    (other) => isOfCluster(other) && other.revision > full.revision && other.revision <= to,
  );
  // The nearest proves least, the last one most: it is held against all that lies before it.
  const fulls = inside.length <= FULLS_MAX ? inside : [inside[0]!, inside.at(-1)!];
  return { timeline, full, to, fulls };
}

function timelineOf(inventory: Inventory, timeline: number): TimelineInventory {
  const found = inventory.timelines.find((one) => one.timeline === timeline);
  if (found !== undefined) return found;
  throw new EtcdOpsError('NO_BACKUP', { message: `Cluster ${inventory.cluster} has no timeline ${timeline}` });
}
