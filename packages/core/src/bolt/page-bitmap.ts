/** One bit a page: what a consistency check has seen. 32 KiB a GiB of file at 4 KiB pages. */
export class PageBitmap {
  readonly #bits: Uint8Array;

  constructor(pageCount: number) {
    this.#bits = new Uint8Array(Math.ceil(pageCount / 8));
  }

  has(page: number): boolean {
    return (this.#bits[Math.floor(page / 8)]! & (1 << (page % 8))) !== 0;
  }

  /** Returns false when it was set already. */
  add(page: number): boolean {
    if (this.has(page)) return false;
    this.#bits[Math.floor(page / 8)]! |= 1 << (page % 8);
    return true;
  }
}
