/** Revisions from `first` to `last`, both inclusive. */
export interface RevisionSpan {
  first: number;
  last: number;
}

/** A set of revisions that answers quickly whether it meets a span. */
export class RevisionSpans {
  readonly #runs: RevisionSpan[] = [];

  constructor(spans: readonly RevisionSpan[]) {
    const ascending = spans.filter(({ first, last }) => first <= last).toSorted((a, b) => a.first - b.first);
    for (const { first, last } of ascending) {
      const run = this.#runs.at(-1);
      if (run === undefined || first > run.last + 1) this.#runs.push({ first, last });
      else run.last = Math.max(run.last, last);
    }
  }

  meets({ first, last }: RevisionSpan): boolean {
    let low = 0;
    let high = this.#runs.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#runs[middle]!.last >= first) high = middle;
      else low = middle + 1;
    }
    return (this.#runs[low]?.first ?? Infinity) <= last;
  }
}
