import { buildCrc32cTables, createCrc32cKernel, KERNEL_INPUT_BYTES, type Crc32cKernel } from './crc32c-kernel.ts';

/** Below this many bytes, the copy into WebAssembly costs more than it saves. */
const SHORT_BYTES = 16;

let tables: Uint32Array | undefined;
let kernel: Crc32cKernel | undefined;

/**
 * CRC-32C (Castagnoli), as etcd uses it in HashKV, the WAL and raft snapshot files.
 * `previous` is the checksum of the bytes before these: crc32c(b, crc32c(a)) is the checksum of a followed by b.
 * Not `zlib.crc32`: that is another polynomial.
 */
export function crc32c(bytes: Uint8Array, previous = 0): number {
  tables ??= buildCrc32cTables();
  const state = ~previous;
  return ~(bytes.length < SHORT_BYTES ? shortRun(tables, bytes, state) : longRun(tables, bytes, state)) >>> 0;
}

function shortRun(table: Uint32Array, bytes: Uint8Array, state: number): number {
  for (let index = 0; index < bytes.length; index++) {
    state = table[(state ^ bytes[index]!) & 0xff]! ^ (state >>> 8);
  }
  return state;
}

function longRun(table: Uint32Array, bytes: Uint8Array, state: number): number {
  kernel ??= createCrc32cKernel(table);
  if (bytes.length <= KERNEL_INPUT_BYTES) {
    kernel.input.set(bytes);
    return kernel.run(bytes.length, state);
  }
  for (let offset = 0; offset < bytes.length; offset += KERNEL_INPUT_BYTES) {
    const part = bytes.subarray(offset, offset + KERNEL_INPUT_BYTES);
    kernel.input.set(part);
    state = kernel.run(part.length, state);
  }
  return state;
}
