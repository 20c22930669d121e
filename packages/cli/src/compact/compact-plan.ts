import {
  chains,
  EtcdOpsError,
  isEtcdOpsError,
  planRestoreFrom,
  resolveTime,
  type Identities,
  type Inventory,
  type ObjectStore,
  type RestorePlan,
} from '@etcd-ops/core';
import { parseDuration } from '../options/values.ts';

export interface HistoryOptions {
  /** Compact here. */
  revision?: number;
  /** So much history stays: a duration, or a number of revisions. */
  keepHistory?: string;
}

export interface CompactPlan {
  /** Without the fulls that hold too little history. */
  inventory: Inventory;
  plan: RestorePlan;
  /** Every revision from here on can be restored from the new full. */
  compactAt: number;
}

interface PlanContext {
  store: ObjectStore;
  inventory: Inventory;
  identities: Identities | undefined;
  nowMs: number;
  signal: AbortSignal;
}

/**
 * Where to compact, and what to make the new full of: a full that was compacted further already holds less history than is to be kept,
 * so an older one, with more deltas behind it, is the base then.
 * @throws EtcdOpsError NO_BACKUP, USAGE, REVISION_NOT_RESTORABLE, NEWEST_NOT_RESTORABLE.
 */
export async function planCompaction(options: HistoryOptions, context: PlanContext): Promise<CompactPlan> {
  const { store, inventory, signal } = context;
  const newest = await planRestoreFrom(store, inventory, { kind: 'latest' }, { signal });
  const compactAt = await compactRevisionOf(options, newest, context);
  if (compactAt === newest.revision) return { inventory, plan: newest, compactAt };
  const timelines = inventory.timelines
    .filter(({ timeline }) => timeline === newest.timeline)
    .map((found) => ({ ...found, fulls: found.fulls.filter(({ manifest }) => manifest.compactRevision <= compactAt) }));
  const holding: Inventory = { ...inventory, timelines };
  if (timelines.every(({ fulls }) => fulls.length === 0)) throw noHistory(compactAt, newest);
  // Without those fulls the chain may end earlier, before deltas that follow nothing then: there is too little history, and that is said.
  const plan = await planRestoreFrom(store, holding, { kind: 'latest' }, { signal, allowOlder: true });
  if (plan.revision !== newest.revision || plan.full.manifest.compactRevision > compactAt) {
    throw noHistory(compactAt, newest);
  }
  return { inventory: holding, plan, compactAt };
}

async function compactRevisionOf(
  { revision, keepHistory }: HistoryOptions,
  { revision: head, timeline }: RestorePlan,
  { store, inventory, identities, nowMs, signal }: PlanContext,
): Promise<number> {
  if (revision !== undefined) {
    if (revision >= 1 && revision <= head) return revision;
    throw new EtcdOpsError('REVISION_NOT_RESTORABLE', {
      message: `Revision ${revision} is not one of 1 to ${head}, which the backups hold`,
    });
  }
  if (keepHistory === undefined) return head;
  if (/^\d+$/.test(keepHistory)) return Math.max(1, head - Number(keepHistory));
  try {
    const timeMs = nowMs - durationOf(keepHistory);
    const { revision: oldest } = await resolveTime(store, inventory, timeMs, { timeline, identities, signal });
    return Math.max(1, oldest);
  } catch (error) {
    if (!isEtcdOpsError(error, 'TIME_NOT_RESTORABLE')) throw error;
    return wholeHistory(inventory, { timeline, revision: head });
  }
}

/** Where the longest chain that leads to the head begins: the backups are younger than the history to keep, or a gap is, so all of it stays. */
function wholeHistory(inventory: Inventory, { timeline, revision }: { timeline: number; revision: number }): number {
  const leading = inventory.timelines
    .filter((found) => found.timeline === timeline)
    .flatMap(chains)
    .filter(({ to }) => to >= revision);
  return leading.reduce((least, { from }) => Math.min(least, from), revision);
}

function durationOf(text: string): number {
  try {
    return parseDuration(text);
  } catch (cause) {
    const message = `--keep-history ${text}: it is a duration, as 24h, or a number of revisions`;
    throw new EtcdOpsError('USAGE', { message, cause });
  }
}

function noHistory(compactAt: number, { revision, timeline }: RestorePlan): EtcdOpsError {
  return new EtcdOpsError('REVISION_NOT_RESTORABLE', {
    message: `No full of timeline ${timeline} holds the history from revision ${compactAt} on and leads up to ${revision}`,
    remedy: 'Keep less history; `list` shows the fulls and where each was compacted.',
  });
}
