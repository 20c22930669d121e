const KEY_TAG = 0x0a;

/** Where the user key of a stored KeyValue lies: etcd writes field 1 first. Bytes that are no KeyValue give an empty key. */
export class UserKey {
  start = 0;
  end = 0;

  /** The KeyValue is at [start, end). */
  find(bytes: Uint8Array, start: number, end: number): void {
    this.start = start;
    this.end = start;
    if (start >= end || bytes[start] !== KEY_TAG) return;
    let offset = start + 1;
    let length = 0;
    for (let shift = 0; offset < end && shift < 28; shift += 7) {
      const byte = bytes[offset++]!;
      length |= (byte & 0x7f) << shift;
      if (byte >= 0x80) continue;
      if (offset + length > end) return;
      this.start = offset;
      this.end = offset + length;
      return;
    }
  }

  startsWith(bytes: Uint8Array, wanted: Uint8Array): boolean {
    if (this.end - this.start < wanted.length) return false;
    for (let index = 0; index < wanted.length; index++) {
      if (bytes[this.start + index] !== wanted[index]) return false;
    }
    return true;
  }

  equals(bytes: Uint8Array, wanted: Uint8Array): boolean {
    return this.end - this.start === wanted.length && this.startsWith(bytes, wanted);
  }
}
