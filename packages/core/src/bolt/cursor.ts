import type { PageSource } from './block-cache.ts';
import { boltDamaged, TREE_DEPTH_MAX } from './format.ts';
import { Page } from './page.ts';

/** Moves through one bucket's entries in key order. `key` and `value` are views, valid until the next move. */
export class Cursor {
  readonly #source: PageSource;
  readonly #rootPage: number;
  /** One page and position for each level from the root down to the leaf; pages are reused. */
  readonly #pages: Page[] = [];
  readonly #positions: number[] = [];
  #depth = 0;
  #valid = false;

  /** For an inline bucket `inline` is its page and nothing is read. */
  constructor(source: PageSource, rootPage: number, inline?: Page) {
    this.#source = source;
    this.#rootPage = rootPage;
    if (inline !== undefined) this.#pages.push(inline);
  }

  /** Throws when the last move returned false. */
  get key(): Buffer {
    return this.#leaf().key(this.#position());
  }

  get value(): Buffer {
    return this.#leaf().value(this.#position());
  }

  /** True when the value is a nested bucket. */
  get isBucket(): boolean {
    return this.#leaf().isBucket(this.#position());
  }

  first(): boolean {
    this.#loadRoot();
    this.#descend(() => 0);
    return this.#settle();
  }

  last(): boolean {
    this.#loadRoot();
    this.#descend((page) => page.count - 1);
    return this.#settle();
  }

  /** Moves to the first key that is >= `key`. */
  seek(key: Uint8Array): boolean {
    this.#loadRoot();
    this.#descend((page) => (page.isLeaf ? page.lowerBound(key) : page.childIndexFor(key)));
    const leaf = this.#pages[this.#depth]!;
    if (this.#positions[this.#depth]! < leaf.count) return this.#settle();
    // All keys of this leaf are smaller: the answer is the first of the next one.
    this.#positions[this.#depth] = leaf.count - 1;
    if (leaf.count === 0) return this.#settle();
    this.#valid = true;
    return this.next();
  }

  next(): boolean {
    return this.#move(1);
  }

  previous(): boolean {
    return this.#move(-1);
  }

  #move(step: 1 | -1): boolean {
    if (!this.#valid) return false;
    const leaf = this.#pages[this.#depth]!;
    const position = this.#positions[this.#depth]! + step;
    if (position >= 0 && position < leaf.count) {
      this.#positions[this.#depth] = position;
      return true;
    }
    const before = Buffer.from(this.key);
    if (!this.#ascend(step)) return (this.#valid = false);
    this.#descend((page) => (step === 1 ? 0 : page.count - 1));
    // Progress in key order is also what keeps a file with circular references from holding us for ever.
    const order = this.#pages[this.#depth]!.compareKey(this.#positions[this.#depth]!, before) * step;
    if (order <= 0) {
      throw boltDamaged(
        this.#source.path,
        this.#pages[this.#depth]!.id,
        'its keys do not follow those of the leaf before it',
      );
    }
    return true;
  }

  /** Climbs to the nearest branch that has a neighbour in the direction, and steps there. */
  #ascend(step: 1 | -1): boolean {
    for (let level = this.#depth - 1; level >= 0; level--) {
      const position = this.#positions[level]! + step;
      if (position < 0 || position >= this.#pages[level]!.count) continue;
      this.#positions[level] = position;
      this.#load(level + 1, this.#pages[level]!.child(position));
      this.#depth = level + 1;
      return true;
    }
    return false;
  }

  #loadRoot(): void {
    this.#depth = 0;
    this.#valid = false;
    if (this.#rootPage !== 0) this.#load(0, this.#rootPage);
  }

  /** Goes from the level reached down to a leaf; `choose` names the position on each page. */
  #descend(choose: (page: Page) => number): void {
    for (;;) {
      const page = this.#pages[this.#depth]!;
      const position = choose(page);
      this.#positions[this.#depth] = position;
      if (page.isLeaf) {
        if (page.count === 0 && this.#depth > 0) {
          throw boltDamaged(this.#source.path, page.id, 'a leaf below a branch is empty');
        }
        return;
      }
      if (this.#depth >= TREE_DEPTH_MAX) {
        throw boltDamaged(this.#source.path, page.id, `the tree is deeper than ${TREE_DEPTH_MAX} levels`);
      }
      this.#load(++this.#depth, page.child(position));
    }
  }

  #load(level: number, id: number): void {
    this.#pages[level] ??= new Page();
    this.#source.load(id, this.#pages[level], true);
  }

  #settle(): boolean {
    const position = this.#positions[this.#depth]!;
    return (this.#valid = position >= 0 && position < this.#pages[this.#depth]!.count);
  }

  #leaf(): Page {
    if (!this.#valid) throw new Error('The cursor is not at an entry');
    return this.#pages[this.#depth]!;
  }

  #position(): number {
    return this.#positions[this.#depth]!;
  }
}
