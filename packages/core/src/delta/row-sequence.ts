import { readMain, type Revision } from '../mvcc/revision.ts';
import { RevisionDigest, type RowBlock } from '../mvcc/row-block.ts';

/**
 * Follows the rows of a delta, for its writer and its readers alike: main revisions go on without a hole, the subs of
 * each go 0, 1, 2, ... (etcd counts them so, and a hole among them is a lost row), and the last one's rows are digested.
 */
export class RowSequence {
  readonly #complain: (rule: string) => Error;
  #digest: RevisionDigest | undefined;
  #sub = 0;
  firstRevision: Revision = 0;
  /** 0 before the first row. */
  lastRevision: Revision = 0;
  rowCount = 0;

  /** `complain` makes the error to throw when a rule is broken. */
  constructor(complain: (rule: string) => Error) {
    this.#complain = complain;
  }

  get lastRevisionRows(): number {
    return this.#digest?.rowCount ?? 0;
  }

  add(block: RowBlock, fromRow: number, toRow: number): void {
    const { data, offsets } = block;
    let main = this.lastRevision;
    let sub = this.#sub;
    let lastRevisionRow = fromRow;
    for (let row = fromRow; row < toRow; row++) {
      const offset = offsets[row]!;
      const rowMain = readMain(data, offset);
      const rowSub = readMain(data, offset + 9);
      if (rowMain === main && rowSub === sub + 1) {
        sub = rowSub;
        continue;
      }
      if (rowSub !== 0 || (rowMain !== main + 1 && main !== 0) || rowMain === 0) {
        throw this.#broken(rowMain, rowSub, main, sub);
      }
      if (main === 0) this.firstRevision = rowMain;
      main = rowMain;
      sub = 0;
      lastRevisionRow = row;
    }
    this.#digestLast(block, lastRevisionRow, toRow, main);
    this.lastRevision = main;
    this.#sub = sub;
    this.rowCount += toRow - fromRow;
  }

  /** RevisionDigest of the rows of `lastRevision`; ends the sequence. */
  finishDigest(): string {
    return this.#digest?.hex() ?? '';
  }

  /** Only the last revision of what was added is hashed: a hash for each revision would cost more than all the rest. */
  #digestLast(block: RowBlock, fromRow: number, toRow: number, main: Revision): void {
    if (fromRow === toRow) return;
    if (main !== this.lastRevision || this.#digest === undefined) this.#digest = new RevisionDigest();
    for (let row = fromRow; row < toRow; row++) this.#digest.update(block.key(row), block.value(row));
  }

  #broken(rowMain: Revision, rowSub: number, main: Revision, sub: number): Error {
    if (main === 0) return this.#complain(`the first row is (${rowMain}, ${rowSub}) and not the first of its revision`);
    return this.#complain(`row (${rowMain}, ${rowSub}) does not follow row (${main}, ${sub})`);
  }
}
