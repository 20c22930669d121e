import type { LeafView } from '../bolt/page.ts';
import { scanKeyValue } from './key-value.ts';
import type { KeyHash } from './key-table.ts';

const KEY_TAG = 0x0a;
const LEASE_TAG = 6 << 3;

/** Hashes the user key of a row. Field 1 comes first in what etcd writes; anything else takes the careful way. */
export function hashUserKey(leaf: LeafView, entry: number, hash: KeyHash): void {
  const { buffer } = leaf;
  const start = leaf.keyOffset(entry) + leaf.keyLength(entry);
  const end = start + leaf.valueLength(entry);
  if (end - start >= 2 && buffer[start] === KEY_TAG) {
    let length = buffer[start + 1]!;
    let keyStart = start + 2;
    if (length >= 0x80 && buffer[start + 2]! < 0x80) {
      length = (length & 0x7f) | (buffer[start + 2]! << 7);
      keyStart = start + 3;
    }
    if ((length < 0x80 || keyStart === start + 3) && keyStart + length <= end) {
      hash.update(buffer, keyStart, keyStart + length);
      return;
    }
  }
  const { key } = scanKeyValue(leaf.value(entry));
  hash.update(key, 0, key.length);
}

/** The lease of a row, 0n for none: walks over the fields without making anything of them. */
export function leaseOfRow(leaf: LeafView, entry: number): bigint {
  const { buffer } = leaf;
  let offset = leaf.keyOffset(entry) + leaf.keyLength(entry);
  const end = offset + leaf.valueLength(entry);
  while (offset < end) {
    const tag = buffer[offset]!;
    if (tag === LEASE_TAG || tag >= 0x80) return scanKeyValue(leaf.value(entry)).lease;
    offset++;
    let number = 0;
    let scale = 1;
    while (offset < end && buffer[offset]! >= 0x80) {
      number += (buffer[offset++]! & 0x7f) * scale;
      scale *= 128;
    }
    number += (buffer[offset++] ?? 0) * scale;
    if ((tag & 7) === 2) offset += number;
    else if ((tag & 7) !== 0) return scanKeyValue(leaf.value(entry)).lease;
  }
  // A length that reaches outside is damage: the careful scanner says so.
  return offset === end ? 0n : scanKeyValue(leaf.value(entry)).lease;
}
