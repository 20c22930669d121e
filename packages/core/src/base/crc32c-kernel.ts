/**
 * The WebAssembly part of crc32c.ts: slicing-by-16, assembled here from named opcodes so that no binary is checked in.
 *
 * Memory of the module: 16 tables of 256 u32 (16 KiB) at 0, and the input window at INPUT_OFFSET.
 * The exported function is `crc(pointer, end, state) -> state`, on the raw (not inverted) state.
 */

/** Reflected Castagnoli polynomial. */
const POLYNOMIAL = 0x82f63b78;
const TABLE_COUNT = 16;
const WASM_PAGE_BYTES = 65_536;
const INPUT_OFFSET = WASM_PAGE_BYTES;
/** Bytes of input that one call takes: small enough to stay in the second level cache between copy and checksum. */
export const KERNEL_INPUT_BYTES = WASM_PAGE_BYTES;

export interface Crc32cKernel {
  /** Put up to KERNEL_INPUT_BYTES here, then call `run`. */
  readonly input: Uint8Array;
  /** Runs over the first `length` bytes of `input`; takes and returns the raw state. */
  run(length: number, state: number): number;
}

/** `tables[k][b]`: the state after byte b followed by k zero bytes, for all 16 k, in one array. */
export function buildCrc32cTables(): Uint32Array {
  const tables = new Uint32Array(TABLE_COUNT * 256);
  for (let byte = 0; byte < 256; byte++) {
    let state = byte;
    for (let bit = 0; bit < 8; bit++) state = state & 1 ? (state >>> 1) ^ POLYNOMIAL : state >>> 1;
    tables[byte] = state;
  }
  for (let index = 256; index < tables.length; index++) {
    const previous = tables[index - 256]!;
    tables[index] = tables[previous & 0xff]! ^ (previous >>> 8);
  }
  return tables;
}

/** What is used of the global, which the type library knows only together with the DOM. */
interface WebAssemblyApi {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object) => { exports: unknown };
}

export function createCrc32cKernel(tables: Uint32Array): Crc32cKernel {
  const { Module, Instance } = (globalThis as unknown as { WebAssembly: WebAssemblyApi }).WebAssembly;
  const exports = new Instance(new Module(assembleModule())).exports as {
    memory: { buffer: ArrayBuffer };
    crc: (pointer: number, end: number, state: number) => number;
  };
  new Uint32Array(exports.memory.buffer, 0, tables.length).set(tables);
  return {
    input: new Uint8Array(exports.memory.buffer, INPUT_OFFSET, KERNEL_INPUT_BYTES),
    run: (length, state) => exports.crc(INPUT_OFFSET, INPUT_OFFSET + length, state),
  };
}

// Opcodes and types: WebAssembly Core Specification 1.0, section 5.
const I32 = 0x7f;
const VOID_BLOCK = 0x40;
const BLOCK = 0x02;
const LOOP = 0x03;
const END = 0x0b;
const BRANCH = 0x0c;
const BRANCH_IF = 0x0d;
const LOCAL_GET = 0x20;
const LOCAL_SET = 0x21;
const I32_LOAD = 0x28;
const I32_LOAD8_U = 0x2d;
const I32_CONST = 0x41;
const I32_GE_U = 0x4f;
const I32_GT_U = 0x4b;
const I32_ADD = 0x6a;
const I32_AND = 0x71;
const I32_XOR = 0x73;
const I32_SHL = 0x74;
const I32_SHR_U = 0x76;

// Parameters and locals of the function.
const POINTER = 0;
const LIMIT = 1;
const STATE = 2;
const FIRST_WORD = 3;

function assembleModule(): Uint8Array {
  const body = [...vector([[...unsigned(4), I32]]), ...functionBody(), END];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, vector([[0x60, ...vector([[I32], [I32], [I32]]), ...vector([[I32]])]])),
    ...section(3, vector([[0]])),
    ...section(5, vector([[1, 2, 2]])),
    ...section(
      7,
      vector([
        [...text('memory'), 2, 0],
        [...text('crc'), 0, 0],
      ]),
    ),
    ...section(10, vector([[...unsigned(body.length), ...body]])),
  ]);
}

function functionBody(): number[] {
  return [...whole16ByteGroups(), ...remainingBytes(), LOCAL_GET, STATE];
}

/** while (pointer + 16 <= limit) fold 16 bytes into the state with 16 independent table lookups. */
function whole16ByteGroups(): number[] {
  const loadWords: number[] = [];
  const lookups: number[] = [];
  for (let word = 0; word < 4; word++) {
    loadWords.push(LOCAL_GET, POINTER, I32_LOAD, 0, ...unsigned(word * 4));
    if (word === 0) loadWords.push(LOCAL_GET, STATE, I32_XOR);
    loadWords.push(LOCAL_SET, FIRST_WORD + word);
    for (let byte = 0; byte < 4; byte++) {
      const table = TABLE_COUNT - 1 - (word * 4 + byte);
      lookups.push(LOCAL_GET, FIRST_WORD + word, ...byteTimesFour(byte), I32_LOAD, 2, ...unsigned(table * 1024));
      if (word + byte > 0) lookups.push(I32_XOR);
    }
  }
  return [
    ...[BLOCK, VOID_BLOCK, LOOP, VOID_BLOCK],
    ...[LOCAL_GET, POINTER, I32_CONST, 16, I32_ADD, LOCAL_GET, LIMIT, I32_GT_U, BRANCH_IF, 1],
    ...loadWords,
    ...lookups,
    ...[LOCAL_SET, STATE],
    ...[LOCAL_GET, POINTER, I32_CONST, 16, I32_ADD, LOCAL_SET, POINTER],
    ...[BRANCH, 0, END, END],
  ];
}

/** while (pointer < limit) state = table0[(state ^ byte) & 255] ^ (state >>> 8) */
function remainingBytes(): number[] {
  return [
    ...[BLOCK, VOID_BLOCK, LOOP, VOID_BLOCK],
    ...[LOCAL_GET, POINTER, LOCAL_GET, LIMIT, I32_GE_U, BRANCH_IF, 1],
    ...[LOCAL_GET, STATE, LOCAL_GET, POINTER, I32_LOAD8_U, 0, 0, I32_XOR, ...byteTimesFour(0), I32_LOAD, 2, 0],
    ...[LOCAL_GET, STATE, I32_CONST, 8, I32_SHR_U, I32_XOR, LOCAL_SET, STATE],
    ...[LOCAL_GET, POINTER, I32_CONST, 1, I32_ADD, LOCAL_SET, POINTER],
    ...[BRANCH, 0, END, END],
  ];
}

/** Turns the word on the stack into (byte n of it) * 4, the offset of a u32 in a table. */
function byteTimesFour(byte: number): number[] {
  const shift = byte === 0 ? [I32_CONST, 2, I32_SHL] : [I32_CONST, byte * 8 - 2, I32_SHR_U];
  return [...shift, I32_CONST, ...signed(1020), I32_AND];
}

function section(id: number, content: number[]): number[] {
  return [id, ...unsigned(content.length), ...content];
}

function vector(items: readonly number[][]): number[] {
  return [...unsigned(items.length), ...items.flat()];
}

function text(value: string): number[] {
  return [...unsigned(value.length), ...Buffer.from(value, 'ascii')];
}

function unsigned(value: number): number[] {
  const bytes: number[] = [];
  for (; value >= 0x80; value >>>= 7) bytes.push((value & 0x7f) | 0x80);
  return [...bytes, value];
}

/** Signed LEB128 of a small positive number: the sign bit of the last byte must stay clear. */
function signed(value: number): number[] {
  const bytes: number[] = [];
  for (; value >= 0x40; value >>>= 7) bytes.push((value & 0x7f) | 0x80);
  return [...bytes, value];
}
