import type { DeltaEntry, TimelineInventory } from '../repository/inventory.ts';
import type { KeptChains } from './kept-chains.ts';
import type { ObjectDecision, RetentionCode, RetentionOptions } from './plan-retention.ts';
import { RevisionSpans } from './revision-spans.ts';

/** Which deltas of a timeline its kept fulls, pins and the window need. In the order of the inventory. */
export function decideDeltas(
  timeline: TimelineInventory,
  kept: KeptChains,
  options: Pick<RetentionOptions, 'nowMs' | 'orphanGraceMs'>,
): ObjectDecision[] {
  const isOld = ({ modifiedAtMs }: DeltaEntry): boolean => options.nowMs - modifiedAtMs >= options.orphanGraceMs;
  const needs = Map.groupBy(kept.spans, ({ code }) => code);
  const needed = [...needs.values()].map((spans) => ({ set: new RevisionSpans(spans), ...spans[0]! }));
  const usable = new RevisionSpans(kept.chains.map(({ full, to }) => ({ first: full.revision + 1, last: to })));
  const keptFulls = timeline.fulls.filter(({ key }) => kept.fulls.has(key));
  const oldestKept = keptFulls[0]?.revision ?? Infinity;
  const newest = timeline.fulls.at(-1)?.revision ?? 0;
  const inWindow = new RevisionSpans(kept.window?.restorable ?? []);

  const judge = (delta: DeltaEntry): { remove: boolean; code: RetentionCode; reason: string } => {
    const keep = (code: RetentionCode, reason: string) => ({ remove: false, code, reason });
    const remove = (code: RetentionCode, reason: string) => ({ remove: true, code, reason });
    if (inWindow.meets(delta)) return keep('window', 'inside of the point-in-time window');
    const need = needed.find(({ set }) => set.meets(delta));
    if (need !== undefined) return keep(need.code === 'rule' ? 'needed' : need.code, whyNeeded(need));
    // What is missing before it may yet be captured again, or a full may follow. Not in a timeline that ended.
    if (delta.last > newest && !kept.isClosed) return keep('unrecorded', 'nothing newer replaces it yet');
    if (usable.meets(delta) || delta.last <= oldestKept) return remove('unneeded', 'no kept full needs it');
    if (!isOld(delta)) return keep('young', 'no chain reaches it, but it is young');
    return remove('stranded', 'no chain reaches it');
  };
  return timeline.deltas.map((delta) => {
    const { remove, code, reason } = judge(delta);
    return { decision: { keys: [delta.key], kind: 'delta' as const, bytes: delta.bytes, code, reason }, remove };
  });
}

function whyNeeded({ code, reason }: { code: RetentionCode; reason: string }): string {
  if (code === 'rule') return 'a kept full needs it';
  return code === 'pinned' ? 'a pinned revision needs it' : reason;
}
