/**
 * A map from user keys to small numbers for tens of millions of keys: only 64 bits of hash are kept of a key, 12 bytes a slot
 * in typed arrays. Two keys of one hash would be taken for one: at 10 million keys the chance is 1 in 300,000.
 */
export class KeyTable {
  size = 0;
  #high: Uint32Array;
  #low: Uint32Array;
  /** Value + 1; 0 is a free slot. */
  #values: Uint32Array;
  #mask: number;

  constructor(slots = 1024) {
    this.#high = new Uint32Array(slots);
    this.#low = new Uint32Array(slots);
    this.#values = new Uint32Array(slots);
    this.#mask = slots - 1;
  }

  /** The slot of a key, or -1. Valid until the next `insert`. */
  find(hash: KeyHash): number {
    const slot = this.#probe(hash.high, hash.low);
    return this.#values[slot] === 0 ? -1 : slot;
  }

  value(slot: number): number {
    return this.#values[slot]! - 1;
  }

  set(slot: number, value: number): void {
    this.#values[slot] = value + 1;
  }

  /** Adds a key that `find` did not find; `value` < 2^32 - 1. */
  insert(hash: KeyHash, value: number): void {
    if (this.size * 5 >= this.#values.length * 3) this.#grow();
    const slot = this.#probe(hash.high, hash.low);
    this.#high[slot] = hash.high;
    this.#low[slot] = hash.low;
    this.#values[slot] = value + 1;
    this.size++;
  }

  *values(): Generator<number, void, undefined> {
    for (const value of this.#values) if (value !== 0) yield value - 1;
  }

  #probe(high: number, low: number): number {
    let slot = low & this.#mask;
    while (this.#values[slot] !== 0 && (this.#low[slot] !== low || this.#high[slot] !== high)) {
      slot = (slot + 1) & this.#mask;
    }
    return slot;
  }

  #grow(): void {
    const [high, low, values] = [this.#high, this.#low, this.#values];
    const slots = values.length * 2;
    this.#high = new Uint32Array(slots);
    this.#low = new Uint32Array(slots);
    this.#values = new Uint32Array(slots);
    this.#mask = slots - 1;
    for (let old = 0; old < values.length; old++) {
      if (values[old] === 0) continue;
      const slot = this.#probe(high[old]!, low[old]!);
      this.#high[slot] = high[old]!;
      this.#low[slot] = low[old]!;
      this.#values[slot] = values[old]!;
    }
  }
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
