const SEGMENTS = 64;
const SEGMENT_SHIFT = 26;
const FIRST_SLOTS = 16;
/** Value + 1 (0: free), low and high half of the hash: one cache line holds five slots. */
const SLOT_WORDS = 3;

/**
 * A map from user keys to small numbers for tens of millions of keys: only 64 bits of hash are kept of a key. Two keys of one
 * hash would be taken for one: at 10 million keys the chance is 1 in 300,000.
 *
 * Memory: 15 to 30 bytes a key. Open addressing in segments that grow one by one, so that never much is held twice.
 */
export class KeyTable {
  size = 0;
  readonly #segments: Uint32Array[] = Array.from({ length: SEGMENTS }, () => new Uint32Array(FIRST_SLOTS * SLOT_WORDS));
  readonly #sizes = new Uint32Array(SEGMENTS);
  /** The segment of the key that was looked for last. */
  #words: Uint32Array = this.#segments[0]!;

  /** The slot of a key, or -1. A slot is good for `value` and `set` until the next `find` or `insert`. */
  find(hash: KeyHash): number {
    this.#words = this.#segments[hash.high >>> SEGMENT_SHIFT]!;
    const slot = probe(this.#words, hash.high, hash.low);
    return this.#words[slot] === 0 ? -1 : slot;
  }

  value(slot: number): number {
    return this.#words[slot]! - 1;
  }

  set(slot: number, value: number): void {
    this.#words[slot] = value + 1;
  }

  /** Adds a key that `find` did not find; `value` < 2^32 - 1. */
  insert(hash: KeyHash, value: number): void {
    const index = hash.high >>> SEGMENT_SHIFT;
    let words = this.#segments[index]!;
    // At most four fifths are taken.
    if ((this.#sizes[index]! + 1) * SLOT_WORDS * 5 > words.length * 4) {
      words = grown(words);
      this.#segments[index] = words;
    }
    const slot = probe(words, hash.high, hash.low);
    words[slot] = value + 1;
    words[slot + 1] = hash.low;
    words[slot + 2] = hash.high;
    this.#sizes[index]!++;
    this.size++;
  }

  *values(): Generator<number, void, undefined> {
    for (const words of this.#segments) {
      for (let slot = 0; slot < words.length; slot += SLOT_WORDS) if (words[slot] !== 0) yield words[slot]! - 1;
    }
  }
}

/** Where the key is, or the free slot where it would be: the index of its first word. */
function probe(words: Uint32Array, high: number, low: number): number {
  const slots = words.length / SLOT_WORDS;
  let slot = (low & (slots - 1)) * SLOT_WORDS;
  while (words[slot] !== 0 && (words[slot + 1] !== low || words[slot + 2] !== high)) {
    slot += SLOT_WORDS;
    if (slot === words.length) slot = 0;
  }
  return slot;
}

function grown(words: Uint32Array): Uint32Array {
  const larger = new Uint32Array(words.length * 2);
  for (let old = 0; old < words.length; old += SLOT_WORDS) {
    if (words[old] === 0) continue;
    larger.set(words.subarray(old, old + SLOT_WORDS), probe(larger, words[old + 2]!, words[old + 1]!));
  }
  return larger;
}

/** A 64-bit hash of bytes as two unsigned halves; one object is reused for millions of keys. */
export class KeyHash {
  high = 0;
  low = 0;

  update(bytes: Uint8Array, start: number, end: number): void {
    let a = 0x243f_6a88 ^ (end - start);
    let b = 0x85a3_08d3;
    let index = start;
    for (; index + 4 <= end; index += 4) {
      const word = bytes[index]! | (bytes[index + 1]! << 8) | (bytes[index + 2]! << 16) | (bytes[index + 3]! << 24);
      a = Math.imul(a ^ word, 0x9e37_79b1);
      a ^= a >>> 15;
      b = Math.imul((b << 13) | (b >>> 19), 0x85eb_ca77) ^ word;
      b = Math.imul(b, 0xc2b2_ae3d);
    }
    let rest = 0;
    for (; index < end; index++) rest = (rest << 8) | bytes[index]!;
    a = finish(Math.imul(a ^ rest, 0x9e37_79b1));
    b = finish(Math.imul((b << 13) | (b >>> 19), 0x85eb_ca77) ^ rest);
    this.low = (a ^ Math.imul(b, 0x27d4_eb2f)) >>> 0;
    this.high = (b ^ (a >>> 7)) >>> 0;
  }
}

function finish(value: number): number {
  value = Math.imul(value ^ (value >>> 16), 0x21f0_aaad);
  value = Math.imul(value ^ (value >>> 15), 0x735a_2d97);
  return value ^ (value >>> 15);
}
