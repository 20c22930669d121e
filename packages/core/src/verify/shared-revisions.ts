import type { DeltaEntry } from '../repository/inventory.ts';
import type { RevisionSpan } from './edge-span.ts';

type Held = Pick<DeltaEntry, 'key' | 'timeline' | 'first' | 'last'>;

/** Two deltas that do not hold the same rows for revisions that both hold. */
export interface Disagreement<Entry> {
  one: Entry;
  other: Entry;
  span: RevisionSpan;
}

/** A timeline cut at every revision at which a delta begins or has ended. */
interface Cuts {
  /** Ascending. */
  revisions: number[];
  /** How many deltas hold the revisions from each cut to the next. */
  holders: number[];
}

/**
 * Revisions that several deltas of a timeline hold: of a merge and what it stands for, of two uploaders, of a history that went on
 * twice. Plans take either, so their rows must be the same, byte by byte; digests of each shared span are held against each other
 * as the deltas are read, in any order. Keeps one digest for each span.
 */
export class SharedRevisions<Entry extends Held> {
  readonly #cuts: Map<number, Cuts>;
  readonly #known = new Map<string, { entry: Entry; digest: string }>();

  constructor(deltas: readonly Entry[]) {
    this.#cuts = new Map(
      [...Map.groupBy(deltas, ({ timeline }) => timeline)].map(([timeline, held]) => [timeline, cutsOf(held)]),
    );
  }

  /** What of a delta others hold too, ascending. */
  *spansOf({ timeline, first, last }: Entry): Generator<RevisionSpan> {
    const { revisions, holders } = this.#cuts.get(timeline)!;
    for (let cut = indexOf(revisions, first); revisions[cut]! <= last; cut++) {
      if (holders[cut]! > 1) yield { from: revisions[cut]!, to: revisions[cut + 1]! - 1 };
    }
  }

  /** Notes what a delta holds in one of its spans; tells when that is not what another one holds. */
  compare(entry: Entry, span: RevisionSpan, digest: string): Disagreement<Entry> | undefined {
    const place = `${entry.timeline}/${span.from}`;
    const known = this.#known.get(place);
    if (known === undefined) this.#known.set(place, { entry, digest });
    return known === undefined || known.digest === digest ? undefined : { one: known.entry, other: entry, span };
  }
}

function cutsOf(deltas: readonly Held[]): Cuts {
  const changes = new Map<number, number>();
  for (const { first, last } of deltas) {
    changes.set(first, (changes.get(first) ?? 0) + 1);
    changes.set(last + 1, (changes.get(last + 1) ?? 0) - 1);
  }
  const revisions = [...changes.keys()].sort((left, right) => left - right);
  const holders: number[] = [];
  for (const revision of revisions) holders.push((holders.at(-1) ?? 0) + changes.get(revision)!);
  return { revisions, holders };
}

/** Where a revision that is there stands. */
function indexOf(revisions: readonly number[], wanted: number): number {
  let [low, high] = [0, revisions.length - 1];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (revisions[middle]! < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}
