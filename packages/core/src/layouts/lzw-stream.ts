import { Transform, type TransformCallback } from 'node:stream';
import { EtcdOpsError } from '../base/errors.ts';

const CLEAR = 256;
const END = 257;
const WIDTH_MIN = 9;
const WIDTH_MAX = 12;
const TABLE_LENGTH = 1 << WIDTH_MAX;

/**
 * Decompresses LZW with 8-bit literals, least significant bit first, as Go's compress/lzw writes it (which is GIF's): codes grow from
 * 9 to 12 bits, and a full table stays as it is until it is cleared. Fails with OBJECT_DAMAGED on a code that cannot be, and on bytes
 * that end without the end code.
 */
export class LzwDecompress extends Transform {
  readonly #prefix = new Uint16Array(TABLE_LENGTH);
  readonly #suffix = new Uint8Array(TABLE_LENGTH);
  readonly #stack = new Uint8Array(TABLE_LENGTH);
  #bits = 0;
  #bitCount = 0;
  #width = WIDTH_MIN;
  /** The highest code in the table; the next one is defined by the code that follows. */
  #highest = END;
  #last: number | undefined;
  #ended = false;

  override _transform(chunk: Buffer, _encoding: string, callback: TransformCallback): void {
    try {
      this.#expand(chunk);
      callback();
    } catch (error) {
      callback(error as Error);
    }
  }

  override _flush(callback: TransformCallback): void {
    callback(this.#ended ? null : damaged('it is cut short'));
  }

  #expand(chunk: Buffer): void {
    let output = Buffer.allocUnsafe(64 * 1024);
    let used = 0;
    for (const byte of chunk) {
      if (this.#ended) throw damaged('bytes follow its end');
      this.#bits |= byte << this.#bitCount;
      this.#bitCount += 8;
      while (this.#bitCount >= this.#width && !this.#ended) {
        const code = this.#bits & ((1 << this.#width) - 1);
        this.#bits >>>= this.#width;
        this.#bitCount -= this.#width;
        const length = this.#decode(code);
        if (used + length > output.length) {
          this.push(output.subarray(0, used));
          output = Buffer.allocUnsafe(64 * 1024);
          used = 0;
        }
        for (let index = length - 1; index >= 0; index--) output[used++] = this.#stack[index]!;
      }
    }
    if (used > 0) this.push(output.subarray(0, used));
  }

  /** Puts the bytes of a code on the stack, the last one first, and returns how many they are. */
  #decode(code: number): number {
    if (code === CLEAR) {
      this.#width = WIDTH_MIN;
      this.#highest = END;
      this.#last = undefined;
      return 0;
    }
    if (code === END) {
      this.#ended = true;
      return 0;
    }
    if (code > this.#highest + (this.#last === undefined ? 0 : 1)) throw damaged(`the code ${code} is not defined`);
    const isNew = code > this.#highest;
    let length = isNew ? 1 : 0;
    let walk = isNew ? this.#last! : code;
    for (; walk > END; walk = this.#prefix[walk]!) this.#stack[length++] = this.#suffix[walk]!;
    this.#stack[length++] = walk;
    if (isNew) this.#stack[0] = walk;
    this.#define(walk);
    this.#last = code;
    return length;
  }

  #define(firstByte: number): void {
    if (this.#last === undefined || this.#highest + 1 >= TABLE_LENGTH) return;
    this.#highest++;
    this.#prefix[this.#highest] = this.#last;
    this.#suffix[this.#highest] = firstByte;
    if (this.#highest + 1 >= 1 << this.#width && this.#width < WIDTH_MAX) this.#width++;
  }
}

function damaged(rule: string): EtcdOpsError {
  return new EtcdOpsError('OBJECT_DAMAGED', { message: `An lzw stream does not decompress: ${rule}` });
}
