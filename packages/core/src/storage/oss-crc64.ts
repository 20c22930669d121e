/*
 * CRC-64 as OSS states it for every object and part in `x-oss-hash-crc64ecma`: ECMA-182, reflected, all ones before and after,
 * in decimal. JavaScript has no 64-bit integers that are fast, hence two halves, and eight bytes a step.
 */

const POLYNOMIAL = 0xc96c5795d7870f42n;
const SLICES = 8;

/** A running checksum. */
export class Crc64 {
  #low = 0;
  #high = 0;

  update(bytes: Uint8Array): this {
    const { low: lows, high: highs } = tables();
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    let low = ~this.#low;
    let high = ~this.#high;
    let at = 0;
    for (const end = bytes.length - 7; at < end; at += 8) {
      const a = low ^ view.getInt32(at, true);
      const b = high ^ view.getInt32(at + 4, true);
      const i0 = 1792 + (a & 0xff);
      const i1 = 1536 + ((a >>> 8) & 0xff);
      const i2 = 1280 + ((a >>> 16) & 0xff);
      const i3 = 1024 + (a >>> 24);
      const i4 = 768 + (b & 0xff);
      const i5 = 512 + ((b >>> 8) & 0xff);
      const i6 = 256 + ((b >>> 16) & 0xff);
      const i7 = b >>> 24;
      low = lows[i0]! ^ lows[i1]! ^ lows[i2]! ^ lows[i3]! ^ lows[i4]! ^ lows[i5]! ^ lows[i6]! ^ lows[i7]!;
      high = highs[i0]! ^ highs[i1]! ^ highs[i2]! ^ highs[i3]! ^ highs[i4]! ^ highs[i5]! ^ highs[i6]! ^ highs[i7]!;
    }
    for (; at < bytes.length; at++) {
      const index = (low ^ bytes[at]!) & 0xff;
      low = ((low >>> 8) | (high << 24)) ^ lows[index]!;
      high = (high >>> 8) ^ highs[index]!;
    }
    this.#low = ~low;
    this.#high = ~high;
    return this;
  }

  /** As OSS writes it. */
  get decimal(): string {
    return ((BigInt(this.#high >>> 0) << 32n) | BigInt(this.#low >>> 0)).toString();
  }
}

export function crc64(bytes: Uint8Array): string {
  return new Crc64().update(bytes).decimal;
}

/** The checksum of two pieces after each other, of which the second is `secondBytes` long. */
export function combineCrc64(first: string, second: string, secondBytes: number): string {
  // Zeros after the first piece are a linear map of its checksum: squared for each bit of their number.
  let map = oneZeroByte();
  let crc = BigInt(first);
  for (let left = BigInt(secondBytes); left > 0n; left >>= 1n) {
    if ((left & 1n) === 1n) crc = apply(map, crc);
    map = map.map((column) => apply(map, column));
  }
  return (crc ^ BigInt(second)).toString();
}

/** Column n is what becomes of a checksum that has only bit n set, when a byte of zeros follows. */
function oneZeroByte(): bigint[] {
  return Array.from({ length: 64 }, (_, bit) => {
    let crc = 1n << BigInt(bit);
    for (let step = 0; step < 8; step++) crc = (crc & 1n) === 1n ? (crc >> 1n) ^ POLYNOMIAL : crc >> 1n;
    return crc;
  });
}

function apply(map: readonly bigint[], vector: bigint): bigint {
  let result = 0n;
  for (let bit = 0; bit < 64; bit++) if (((vector >> BigInt(bit)) & 1n) === 1n) result ^= map[bit]!;
  return result;
}

interface Tables {
  low: Int32Array;
  high: Int32Array;
}

let made: Tables | undefined;

function tables(): Tables {
  made ??= makeTables();
  return made;
}

function makeTables(): Tables {
  const low = new Int32Array(256 * SLICES);
  const high = new Int32Array(256 * SLICES);
  for (let index = 0; index < 256; index++) {
    let crc = BigInt(index);
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1n) === 1n ? (crc >> 1n) ^ POLYNOMIAL : crc >> 1n;
    low[index] = Number(BigInt.asIntN(32, crc));
    high[index] = Number(BigInt.asIntN(32, crc >> 32n));
  }
  for (let at = 256; at < 256 * SLICES; at++) {
    const before = at - 256;
    const index = low[before]! & 0xff;
    low[at] = ((low[before]! >>> 8) | (high[before]! << 24)) ^ low[index]!;
    high[at] = (high[before]! >>> 8) ^ high[index]!;
  }
  return { low, high };
}
