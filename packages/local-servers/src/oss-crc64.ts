/** CRC-64 as OSS states it in `x-oss-hash-crc64ecma` (ECMA-182, reflected), in decimal. Plain on purpose: it checks faster code. */
export function ossCrc64(body: Uint8Array): string {
  let low = 0xffffffff;
  let high = 0xffffffff;
  for (const byte of body) {
    const entry = ((low ^ byte) & 0xff) * 2;
    low = ((low >>> 8) | (high << 24)) ^ TABLE[entry]!;
    high = (high >>> 8) ^ TABLE[entry + 1]!;
  }
  return ((BigInt(~high >>> 0) << 32n) | BigInt(~low >>> 0)).toString();
}

const TABLE = makeTable();

/** Low and high half of each of 256 entries in turn. */
function makeTable(): Int32Array {
  const table = new Int32Array(512);
  for (let index = 0; index < 256; index++) {
    let crc = BigInt(index);
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1n) === 1n ? (crc >> 1n) ^ 0xc96c5795d7870f42n : crc >> 1n;
    table[index * 2] = Number(BigInt.asIntN(32, crc));
    table[index * 2 + 1] = Number(BigInt.asIntN(32, crc >> 32n));
  }
  return table;
}
