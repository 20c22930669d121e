import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/** Bytes that are read in windows, from memory or from a file. */
export interface ByteSource extends Disposable {
  readonly bytes: number;
  /** Exactly `length` bytes; the caller keeps within `bytes`. The view is valid until the next read. */
  read(offset: number, length: number): Buffer;
}

const WINDOW_BYTES = 1024 * 1024;

export function memorySource(buffer: Buffer): ByteSource {
  return {
    bytes: buffer.length,
    read: (offset, length) => buffer.subarray(offset, offset + length),
    [Symbol.dispose]: () => undefined,
  };
}

/** Reads a file through one window of 1 MiB (larger only for a larger record). */
export function fileSource(path: string): ByteSource {
  const descriptor = openSync(path, 'r');
  const bytes = fstatSync(descriptor).size;
  let window: Buffer = Buffer.alloc(0);
  let windowOffset = 0;
  return {
    bytes,
    read(offset, length) {
      if (offset < windowOffset || offset + length > windowOffset + window.length) {
        window = readFully(descriptor, offset, Math.min(Math.max(length, WINDOW_BYTES), bytes - offset));
        windowOffset = offset;
      }
      if (window.length < offset - windowOffset + length) throw new Error(`${path} became shorter while it was read`);
      return window.subarray(offset - windowOffset, offset - windowOffset + length);
    },
    [Symbol.dispose]: () => closeSync(descriptor),
  };
}

function readFully(descriptor: number, offset: number, length: number): Buffer {
  const buffer = Buffer.allocUnsafe(length);
  let used = 0;
  while (used < length) {
    const count = readSync(descriptor, buffer, used, length - used, offset + used);
    if (count === 0) break;
    used += count;
  }
  return buffer.subarray(0, used);
}
