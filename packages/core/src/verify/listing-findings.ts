import { gaps } from '../repository/coverage.ts';
import type { Inventory } from '../repository/inventory.ts';
import { describeGap } from '../repository/not-restorable.ts';
import { groupDoubts } from '../repository/proof-doubts.ts';
import type { Finding } from './verify-report.ts';

/** What a listing and the manifests alone tell. `timeline`: of this one only. */
export function listingFindings(inventory: Inventory, timeline?: number): Finding[] {
  const seen: Inventory = {
    ...inventory,
    timelines: inventory.timelines.filter((found) => timeline === undefined || found.timeline === timeline),
  };
  return [
    ...inventory.damaged.map(({ key, reason }): Finding => {
      const remedy = 'Plans go round it; what can still be restored is shown. Keep it until you know why it is so.';
      return { kind: 'damaged', what: key, why: reason, remedy };
    }),
    ...inventory.incomplete.map(({ key, missing }): Finding => {
      if (missing === 'data') {
        const remedy = 'Look for what deleted it: nothing of etcd-ops removes data before its manifest.';
        return { kind: 'damaged', what: key, why: 'its full is gone', remedy };
      }
      const why = 'it has no manifest: an upload that runs, or was broken off';
      return { kind: 'note', what: key, why, remedy: 'The garbage collector removes it when it is old enough.' };
    }),
    ...groupDoubts(inventory.doubts ?? []).map(({ key, reason }): Finding => {
      const remedy = 'Plans go round it where they can. See "A proof failed" in docs/OPERATIONS.md.';
      return { kind: 'failed', what: key, why: reason, remedy };
    }),
    ...gaps(seen).map((gap): Finding => {
      const remedy =
        'Nothing brings it back; restore to a revision on either side. The history says why it was not captured.';
      return { kind: 'partial', what: `timeline ${gap.timeline}`, why: describeGap(gap), remedy };
    }),
    ...seen.timelines
      .filter(({ fulls }) => fulls.length === 0)
      .map((found): Finding => {
        const remedy = 'A full of it is on its way, if the cluster is under care; else take one.';
        return { kind: 'partial', what: `timeline ${found.timeline}`, why: 'it has no full yet', remedy };
      }),
    ...(inventory.foreign.length === 0
      ? []
      : [
          {
            kind: 'note' as const,
            what: `${inventory.foreign.length} other files`,
            why: `they are not etcd-ops': ${inventory.foreign.slice(0, 3).join(', ')}`,
            remedy: 'They are left alone.',
          },
        ]),
  ];
}
