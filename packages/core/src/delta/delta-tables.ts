import {
  damagedDelta,
  INDEX_ENTRY_BYTES,
  readSafeUint64,
  TIME_ENTRY_BYTES,
  writeSafeUint64,
  type ObservedTime,
  type RowsBlockLocation,
} from './delta-format.ts';

export function encodeTimes(times: readonly ObservedTime[]): Buffer {
  const bytes = Buffer.alloc(times.length * TIME_ENTRY_BYTES);
  times.forEach((time, index) => {
    writeSafeUint64(bytes, time.revision, index * TIME_ENTRY_BYTES);
    writeSafeUint64(bytes, time.observedMs, index * TIME_ENTRY_BYTES + 8);
  });
  return bytes;
}

/** Times must ascend: revisions strictly, milliseconds not falling. `base` is where the block lies in the object. */
export function decodeTimes(bytes: Buffer, base: number): ObservedTime[] {
  if (bytes.length % TIME_ENTRY_BYTES !== 0) throw damagedDelta(base, 'the times block has a broken entry');
  const times: ObservedTime[] = [];
  for (let offset = 0; offset < bytes.length; offset += TIME_ENTRY_BYTES) {
    const time = { revision: readSafeUint64(bytes, offset, base), observedMs: readSafeUint64(bytes, offset + 8, base) };
    const last = times.at(-1);
    if (last !== undefined && (time.revision <= last.revision || time.observedMs < last.observedMs)) {
      throw damagedDelta(base, `time ${times.length} does not come after the time before it`);
    }
    times.push(time);
  }
  return times;
}

export function encodeIndex(locations: readonly RowsBlockLocation[]): Buffer {
  const bytes = Buffer.alloc(locations.length * INDEX_ENTRY_BYTES);
  locations.forEach((location, index) => {
    const offset = index * INDEX_ENTRY_BYTES;
    writeSafeUint64(bytes, location.offset, offset);
    bytes.writeUInt32LE(location.storedBytes, offset + 8);
    bytes.writeUInt32LE(location.rowCount, offset + 12);
    writeSafeUint64(bytes, location.firstRevision, offset + 16);
    writeSafeUint64(bytes, location.lastRevision, offset + 24);
  });
  return bytes;
}

export function decodeIndex(bytes: Buffer, base: number): RowsBlockLocation[] {
  if (bytes.length % INDEX_ENTRY_BYTES !== 0) throw damagedDelta(base, 'the index has a broken entry');
  const locations: RowsBlockLocation[] = [];
  for (let offset = 0; offset < bytes.length; offset += INDEX_ENTRY_BYTES) {
    locations.push({
      offset: readSafeUint64(bytes, offset, base),
      storedBytes: bytes.readUInt32LE(offset + 8),
      rowCount: bytes.readUInt32LE(offset + 12),
      firstRevision: readSafeUint64(bytes, offset + 16, base),
      lastRevision: readSafeUint64(bytes, offset + 24, base),
    });
  }
  return locations;
}
