import type { Identities } from '../encryption/identities.ts';
import type { DeltaReader } from '../delta/delta-reader.ts';
import type { Revision } from '../mvcc/revision.ts';
import type { DeltaEntry } from '../repository/inventory.ts';
import { fetchDeltas } from '../restore/fetch-deltas.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { digestOfSpan } from './delta-digest.ts';
import type { Disagreement } from './shared-revisions.ts';

export interface FindDisagreementOptions {
  store: ObjectStore;
  /** For deltas that are too large to be held in memory; must exist. */
  spoolDir: string;
  identities?: Identities | undefined;
  signal?: AbortSignal | undefined;
}

/** The first revision of the span for which two deltas do not hold the same rows. @throws DamagedObjectError naming one of them. */
export async function findDisagreement(
  { one, other, span }: Disagreement<DeltaEntry>,
  options: FindDisagreementOptions,
): Promise<Revision> {
  const fetched = (entry: DeltaEntry): ReturnType<typeof fetchDeltas> =>
    fetchDeltas({ ...options, deltas: [entry], fetchersMax: 1, hash: false });
  for await (const { reader: ours } of fetched(one)) {
    for await (const { reader: theirs } of fetched(other)) {
      // Up to `low - 1` they agree, up to `high` they do not.
      let [low, high] = [span.from, span.to];
      while (low < high) {
        const middle = Math.floor((low + high) / 2);
        const half = { from: low, to: middle };
        if (await agree(ours, theirs, half, options.signal)) low = middle + 1;
        else high = middle;
      }
      return low;
    }
  }
  return span.from;
}

async function agree(
  one: DeltaReader,
  other: DeltaReader,
  span: Disagreement<DeltaEntry>['span'],
  signal: AbortSignal | undefined,
): Promise<boolean> {
  return (await digestOfSpan(one, span, signal)) === (await digestOfSpan(other, span, signal));
}
