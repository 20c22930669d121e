/**
 * The lease that a stored KeyValue names, 0n for none (mvccpb.KeyValue: 1 key, 2 create, 3 mod, 4 version, 5 value, 6 lease).
 * Made for a scan of millions of rows: fields are skipped, not decoded, and only a row with a lease makes a bigint.
 * Bytes that are no KeyValue give 0n: the row is copied as it is, and etcd judges it.
 */
export function leaseOfRow(bytes: Buffer, start: number, end: number): bigint {
  let offset = start;
  while (offset < end) {
    const tag = bytes[offset++]!;
    if (tag === LEASE_TAG) return readLease(bytes, offset, end);
    const wireType = tag & 7;
    if (wireType === 0) {
      while (offset < end && bytes[offset]! >= 0x80) offset++;
      offset++;
    } else if (wireType === 2) {
      let length = 0;
      let scale = 1;
      let byte: number;
      do {
        if (offset >= end) return 0n;
        byte = bytes[offset++]!;
        length += (byte & 0x7f) * scale;
        scale *= 128;
      } while (byte >= 0x80 && scale < 2 ** 42);
      offset += length;
    } else {
      return 0n;
    }
  }
  return 0n;
}

const LEASE_TAG = 0x30;

function readLease(bytes: Buffer, start: number, end: number): bigint {
  let value = 0n;
  for (let offset = start, shift = 0n; offset < end && shift < 70n; offset++, shift += 7n) {
    const byte = bytes[offset]!;
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) return BigInt.asIntN(64, value);
  }
  return 0n;
}
