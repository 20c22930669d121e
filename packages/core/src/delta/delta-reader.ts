import { createHash } from 'node:crypto';
import { Yielder } from '../base/yielding.ts';
import type { LeaseRecord } from '../mvcc/lease-record.ts';
import type { RowBlock } from '../mvcc/row-block.ts';
import {
  asDamage,
  assertDeltaHash,
  assertHeaderFits,
  assertTotals,
  decodeIndexBlock,
  decodeLeasesBlock,
  decodeRowsBlock,
  decodeTimesBlock,
} from './delta-checks.ts';
import { deltaFacts, readDeltaFooter, type DeltaFooter } from './delta-footer.ts';
import {
  BLOCK_HEADER_BYTES,
  damagedDelta,
  DELTA_BYTES_MIN,
  DELTA_HEADER_BYTES,
  DELTA_SHA256_BYTES,
  DELTA_TAIL_BYTES,
  paddingAt,
  type BlockSpan,
  type DeltaFacts,
  type ObservedTime,
  type RowsBlockLocation,
} from './delta-format.ts';
import { RowSequence } from './row-sequence.ts';

/** Where a delta is read from. `read` returns exactly the bytes asked for, which always lie inside of the object. */
export interface DeltaSource {
  /** Size of the object. */
  bytes: number;
  read(offset: number, length: number): Promise<Buffer>;
}

export interface RowBlockRange {
  /** Lowest and highest main revision wanted; without them, all. */
  fromRevision?: number;
  toRevision?: number;
  /** Whether the CRC of each block is checked; true unless told. See `decodeBlock`. */
  crc?: boolean;
  signal?: AbortSignal | undefined;
}

/** The end of the object is fetched in one read of this size: the tables of a usual delta lie within it. */
const TAIL_READ_BYTES = 64 * 1024;
/** Blocks side by side are fetched together up to this size. */
const ROWS_READ_BYTES = 4 * 1024 * 1024;

/**
 * Reads parts of a delta that lies anywhere. Everything it returns has passed its CRC and fits header, footer and index.
 * The SHA-256 of the whole is checked by `verify` only.
 */
export class DeltaReader {
  readonly facts: DeltaFacts;
  /** The rows blocks in order. */
  readonly index: readonly RowsBlockLocation[];
  readonly #source: DeltaSource;
  readonly #footer: DeltaFooter;
  readonly #tail: Buffer;

  private constructor(source: DeltaSource, footer: DeltaFooter, index: RowsBlockLocation[], tail: Buffer) {
    this.#source = source;
    this.#footer = footer;
    this.#tail = tail;
    this.facts = deltaFacts(footer);
    this.index = index;
  }

  /**
   * Reads header, footer and index.
   * @throws EtcdOpsError DELTA_DAMAGED naming the byte and the rule, and what the source throws.
   */
  static async open(source: DeltaSource): Promise<DeltaReader> {
    if (source.bytes < DELTA_BYTES_MIN) throw damagedDelta(0, `${source.bytes} bytes are too few for a delta`);
    const tailBytes = Math.min(source.bytes, TAIL_READ_BYTES);
    const [head, tail] = await Promise.all([
      readExactly(source, 0, DELTA_HEADER_BYTES),
      readExactly(source, source.bytes - tailBytes, tailBytes),
    ]);
    const footer = readDeltaFooter(tail.subarray(tail.length - DELTA_TAIL_BYTES), source.bytes);
    assertHeaderFits(head, footer);
    return new DeltaReader(source, footer, decodeIndexBlock(await readSpan(source, tail, footer.index), footer), tail);
  }

  async leases(): Promise<LeaseRecord[]> {
    if (this.#footer.leases === undefined) return [];
    return decodeLeasesBlock(await readSpan(this.#source, this.#tail, this.#footer.leases), this.#footer);
  }

  async times(): Promise<ObservedTime[]> {
    if (this.#footer.times === undefined) return [];
    return decodeTimesBlock(await readSpan(this.#source, this.#tail, this.#footer.times), this.#footer);
  }

  /**
   * The blocks that hold rows of the range, each whole: the first and the last may hold rows outside of it
   * (`RowBlock.firstRowAbove` cuts them).
   */
  async *rowBlocks(range: RowBlockRange = {}): AsyncGenerator<RowBlock> {
    const { fromRevision = 0, toRevision = Infinity, crc = true } = range;
    const wanted = this.index.filter(
      (block) => block.lastRevision >= fromRevision && block.firstRevision <= toRevision,
    );
    const yielder = new Yielder({ signal: range.signal });
    for (const run of runsOf(wanted)) {
      yielder.throwIfCancelled();
      const start = run[0]!.offset;
      const bytes = await readExactly(this.#source, start, blockEnd(run.at(-1)!) - start);
      for (const location of run) {
        yield decodeRowsBlock(bytes.subarray(location.offset - start, blockEnd(location) - start), location, { crc });
        await yielder.tick(location.storedBytes);
      }
    }
  }

  /**
   * Reads all of it, piece by piece, and checks what `decodeDelta` checks: SHA-256, sequence of the rows, totals, digest,
   * leases and times. With `hash: false`, not the SHA-256: whoever fetched the object has checked it.
   */
  async verify(options: { signal?: AbortSignal | undefined; hash?: boolean } = {}): Promise<void> {
    if (options.hash !== false) await this.#verifyHash(new Yielder(options));
    const sequence = new RowSequence((rule) => damagedDelta(0, rule));
    let rowBytes = 0;
    for await (const block of this.rowBlocks(options)) {
      asDamage(0, 'a revision is not possible', () => sequence.add(block, 0, block.rowCount));
      rowBytes += block.bytes.length;
    }
    assertTotals(sequence, rowBytes, this.#footer);
    await this.leases();
    await this.times();
  }

  async #verifyHash(yielder: Yielder): Promise<void> {
    const hash = createHash('sha256');
    const end = this.#source.bytes - DELTA_SHA256_BYTES;
    for (let offset = 0; offset < end; offset += ROWS_READ_BYTES) {
      const part = await readExactly(this.#source, offset, Math.min(ROWS_READ_BYTES, end - offset));
      hash.update(part);
      await yielder.tick(part.length);
    }
    assertDeltaHash(hash.digest('hex'), this.#footer);
  }
}

/** A delta that is in memory, or a part of one, as a source. */
export function bufferDeltaSource(bytes: Buffer): DeltaSource {
  return { bytes: bytes.length, read: async (offset, length) => bytes.subarray(offset, offset + length) };
}

async function readSpan(source: DeltaSource, tail: Buffer, span: BlockSpan): Promise<Buffer> {
  const length = span.length + paddingAt(span.length);
  const inTail = span.offset - (source.bytes - tail.length);
  if (inTail >= 0) return tail.subarray(inTail, inTail + length);
  return await readExactly(source, span.offset, length);
}

async function readExactly(source: DeltaSource, offset: number, length: number): Promise<Buffer> {
  const bytes = await source.read(offset, length);
  if (bytes.length !== length) {
    throw damagedDelta(offset, `the store gave ${bytes.length} bytes where ${length} were asked for`);
  }
  return bytes;
}

function blockEnd(location: RowsBlockLocation): number {
  return location.offset + BLOCK_HEADER_BYTES + location.storedBytes + paddingAt(location.storedBytes);
}

/** Splits neighbouring blocks into runs of at most ROWS_READ_BYTES; a larger block is a run of its own. */
function* runsOf(locations: readonly RowsBlockLocation[]): Generator<RowsBlockLocation[]> {
  let run: RowsBlockLocation[] = [];
  for (const location of locations) {
    if (run.length > 0 && blockEnd(location) - run[0]!.offset > ROWS_READ_BYTES) {
      yield run;
      run = [];
    }
    run.push(location);
  }
  if (run.length > 0) yield run;
}
