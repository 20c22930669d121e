import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';

/** Where each record of a log segment begins. */
export function listWalOffsets(path: string): number[] {
  const bytes = readFileSync(path);
  const offsets: number[] = [];
  for (let offset = 0; offset + 8 <= bytes.length;) {
    const field = bytes.readBigUInt64LE(offset);
    if (field === 0n) break;
    offsets.push(offset);
    const length = Number(field & 0x00ff_ffff_ffff_ffffn);
    offset += 8 + length + ((8 - (length % 8)) % 8);
  }
  return offsets;
}

export function overwrite(path: string, offset: number, bytes: Buffer): void {
  const descriptor = openSync(path, 'r+');
  try {
    writeSync(descriptor, bytes, 0, bytes.length, offset);
  } finally {
    closeSync(descriptor);
  }
}
