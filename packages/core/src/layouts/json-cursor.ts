import { EtcdOpsError } from '../base/errors.ts';

/** What the cursor throws when the bytes at hand end inside a value: more of them may come. */
export const NEED_MORE = new Error('more bytes are needed');

const DEPTH_MAX = 16;
const INTEGER_DIGITS_MAX = 19;
const [QUOTE, BACKSLASH, MINUS, COLON, COMMA] = [0x22, 0x5c, 0x2d, 0x3a, 0x2c];
const [OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET] = [0x7b, 0x7d, 0x5b, 0x5d];

/**
 * Reads JSON out of bytes, value by value, without making objects of it: 64-bit numbers stay exact, and what nobody asked for is
 * skipped. Numbers are whole ones; depth is bounded.
 * @throws NEED_MORE at the end of the bytes; EtcdOpsError DELTA_DAMAGED naming the byte where it is not JSON.
 */
export class JsonCursor {
  position: number;
  readonly bytes: Buffer;
  /** Where `bytes` begins in the whole, for messages. */
  readonly #base: number;

  constructor(bytes: Buffer, position: number, base: number) {
    this.bytes = bytes;
    this.position = position;
    this.#base = base;
  }

  /** The next byte that is no white space; it is not consumed. */
  peek(): number {
    for (;;) {
      const byte = this.bytes[this.position];
      if (byte === undefined) throw NEED_MORE;
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return byte;
      this.position++;
    }
  }

  expect(byte: number): void {
    if (this.peek() !== byte) throw this.damaged(`'${String.fromCharCode(byte)}' is missing`);
    this.position++;
  }

  /** Calls `read` for each field, which must consume its value. Null is an object without fields. */
  object(read: (name: string) => void): void {
    if (this.#takeNull()) return;
    this.expect(OPEN_BRACE);
    if (this.peek() === CLOSE_BRACE) {
      this.position++;
      return;
    }
    for (;;) {
      const name = this.text();
      this.expect(COLON);
      read(name);
      if (!this.#goesOn(CLOSE_BRACE)) return;
    }
  }

  /** A string; '' for null. */
  text(): string {
    if (this.#takeNull()) return '';
    const [start, end] = this.#string();
    const raw = this.bytes.toString('utf8', start, end);
    if (!raw.includes('\\')) return raw;
    try {
      return JSON.parse(`"${raw}"`) as string;
    } catch (cause) {
      throw this.damaged('a string has an escape that is none', cause);
    }
  }

  /** The bytes of a base64 string, copied out; none for null. */
  base64(): Buffer {
    const text = this.text();
    const decoded = Buffer.from(text, 'base64');
    const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
    // The decoder leaves out what it does not know: then fewer bytes come than the letters stand for.
    if (text.length % 4 !== 0 || decoded.length !== (text.length / 4) * 3 - padding) {
      throw this.damaged('a field is not base64');
    }
    return decoded;
  }

  /** A signed 64-bit number, exactly; 0n for null. */
  int64(): bigint {
    if (this.#takeNull()) return 0n;
    const start = this.position;
    if (this.peek() === MINUS) this.position++;
    const firstDigit = this.position;
    for (;;) {
      const byte = this.bytes[this.position];
      if (byte === undefined) throw NEED_MORE;
      if (byte < 0x30 || byte > 0x39) break;
      this.position++;
      if (this.position - firstDigit > INTEGER_DIGITS_MAX) throw this.damaged('a number has too many digits');
    }
    const follows = this.bytes[this.position];
    const isWhole = follows === COMMA || follows === CLOSE_BRACE || follows === CLOSE_BRACKET || follows! <= 0x20;
    const hasLeadingZero = this.bytes[firstDigit] === 0x30 && this.position - firstDigit > 1;
    if (this.position === firstDigit || !isWhole || hasLeadingZero) throw this.damaged('a whole number is missing');
    const value = BigInt(this.bytes.toString('latin1', start, this.position));
    if (BigInt.asIntN(64, value) !== value) throw this.damaged(`${value} does not fit into 64 bits`);
    return value;
  }

  /** A number that is a revision or a count: from 0 to 2^53. */
  count(): number {
    const value = this.int64();
    if (value < 0n || value > BigInt(Number.MAX_SAFE_INTEGER)) throw this.damaged(`${value} is out of range`);
    return Number(value);
  }

  /** Passes over a value of any kind. */
  skip(depth = 0): void {
    if (depth > DEPTH_MAX) throw this.damaged('it is nested too deeply');
    const byte = this.peek();
    if (byte === QUOTE) this.#string();
    else if (byte === OPEN_BRACE) {
      this.object(() => this.skip(depth + 1));
    } else if (byte === OPEN_BRACKET) {
      this.position++;
      if (this.peek() === CLOSE_BRACKET) {
        this.position++;
        return;
      }
      do this.skip(depth + 1);
      while (this.#goesOn(CLOSE_BRACKET));
    } else this.#literal();
  }

  damaged(rule: string, cause?: unknown): EtcdOpsError {
    return new EtcdOpsError('DELTA_DAMAGED', { message: `JSON, byte ${this.#base + this.position}: ${rule}`, cause });
  }

  /** After a value: true behind a comma, false behind `close`. */
  #goesOn(close: number): boolean {
    const byte = this.peek();
    if (byte !== COMMA && byte !== close) throw this.damaged(`',' or '${String.fromCharCode(close)}' is missing`);
    this.position++;
    return byte === COMMA;
  }

  /** Where the content of a string begins and ends. */
  #string(): [number, number] {
    this.expect(QUOTE);
    const start = this.position;
    for (let end = start; ; end++) {
      end = this.bytes.indexOf(QUOTE, end);
      if (end === -1) throw NEED_MORE;
      let slashes = end;
      while (slashes > start && this.bytes[slashes - 1] === BACKSLASH) slashes--;
      if ((end - slashes) % 2 === 1) continue;
      this.position = end + 1;
      return [start, end];
    }
  }

  #literal(): void {
    const start = this.position;
    for (;;) {
      const byte = this.bytes[this.position];
      if (byte === undefined) throw NEED_MORE;
      if (byte === COMMA || byte === CLOSE_BRACE || byte === CLOSE_BRACKET || byte <= 0x20) break;
      if (++this.position - start > 64) throw this.damaged('a value is none of JSON');
    }
    const text = this.bytes.toString('latin1', start, this.position);
    if (!/^(?:null|true|false|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)$/.test(text)) {
      throw this.damaged('a value is none of JSON');
    }
  }

  #takeNull(): boolean {
    if (this.peek() !== 0x6e) return false;
    this.#literal();
    return true;
  }
}
