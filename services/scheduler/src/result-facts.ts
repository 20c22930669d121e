import type { TaskResult } from '@etcd-ops/bus';

/** Reads the summaries of the history, whose fields are each kind's own: what is not as expected is passed over. */

export interface StartFact {
  cause: string;
  timeline?: number | undefined;
  revision?: number | undefined;
  after?: number | undefined;
  compacted?: number | undefined;
}

/** Histories that a delta task found to begin. */
export function startsOf({ kind, ok, summary }: TaskResult): StartFact[] {
  if (kind !== 'delta' || !ok) return [];
  return recordsOf(summary['starts']).flatMap(({ cause, timeline, revision, after, compacted }) =>
    typeof cause === 'string'
      ? [
          {
            cause,
            timeline: numberOf(timeline),
            revision: numberOf(revision),
            after: numberOf(after),
            compacted: numberOf(compacted),
          },
        ]
      : [],
  );
}

/** What became of the comparison of a full with the deltas before it. */
export function edgeVerdict({ kind, ok, summary }: TaskResult): unknown {
  return kind === 'full' && ok ? recordOf(summary['edge'])['verdict'] : undefined;
}

/** The chains that a verification rebuilt. */
export function chainProofs({ kind, ok, summary }: TaskResult): { verdict: unknown; to: number | undefined }[] {
  if (kind !== 'verify' || !ok) return [];
  return recordsOf(summary['proofs']).map(({ verdict, to }) => ({ verdict, to: numberOf(to) }));
}

export function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined;
}

function recordsOf(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.map(recordOf) : [];
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
