import type { DeltaEntry, FullEntry, LeaseEntry, TimelineInventory } from '../repository/inventory.ts';
import { foldsIn } from '../repository/planned-leases.ts';
import type { ObjectDecision, RetentionCode } from './plan-retention.ts';

export interface LeaseContext {
  nowMs: number;
  orphanGraceMs: number;
  isKept: (entry: FullEntry | DeltaEntry) => boolean;
}

/**
 * Which lease objects of a timeline stay: those that follow a delta or a full that stays, what nothing newer replaces, and young ones.
 * What a larger delta took in goes with the deltas that it was made of.
 */
export function decideLeases(timeline: TimelineInventory, context: LeaseContext): ObjectDecision[] {
  const { leases = [], fulls, deltas } = timeline;
  if (leases.length === 0) return [];
  const keptDeltas = deltas.filter(context.isKept);
  const ends = new Set([
    ...keptDeltas.map(({ last }) => last),
    ...fulls.filter(context.isKept).map((full) => full.revision),
  ]);
  const newest = [...fulls.map(({ revision }) => revision), ...deltas.map(({ last }) => last)].reduce(
    (left, right) => Math.max(left, right),
    0,
  );
  const folded = new Set(foldedLeases(leases, keptDeltas));
  const judge = (entry: LeaseEntry): { remove: boolean; code: RetentionCode; reason: string } => {
    if (context.nowMs - entry.modifiedAtMs < context.orphanGraceMs) {
      return { remove: false, code: 'young', reason: 'it is young' };
    }
    if (ends.has(entry.revision)) return { remove: false, code: 'needed', reason: 'what it follows stays' };
    if (folded.has(entry)) return { remove: true, code: 'superseded', reason: 'a larger delta holds the same records' };
    if (entry.revision > newest) return { remove: false, code: 'unrecorded', reason: 'nothing newer replaces it yet' };
    return { remove: true, code: 'unneeded', reason: 'no kept full needs it' };
  };
  return leases.map((entry) => {
    const { remove, code, reason } = judge(entry);
    return { decision: { keys: [entry.key], kind: 'leases' as const, bytes: entry.bytes, code, reason }, remove };
  });
}

/** Both by revision: of the deltas that begin at or below one, only those that reach beyond it matter. */
function foldedLeases(leases: readonly LeaseEntry[], deltas: readonly DeltaEntry[]): LeaseEntry[] {
  let next = 0;
  let reach = 0;
  return leases.filter((entry) => {
    for (; next < deltas.length && deltas[next]!.first <= entry.revision; next++) {
      reach = Math.max(reach, deltas[next]!.last);
    }
    return foldsIn({ first: 0, last: reach }, entry);
  });
}
