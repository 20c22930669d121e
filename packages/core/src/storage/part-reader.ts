import type { FileHandle } from 'node:fs/promises';
import { cancelled } from '../base/clock.ts';
import { EtcdOpsError } from '../base/errors.ts';
import { throwIfAborted } from './local-errors.ts';
import type { StreamWriteOptions } from './object-store.ts';
import { Semaphore } from './semaphore.ts';

export interface Part {
  /** Counted from 1. */
  partNumber: number;
  /** A view of the buffer that was given. */
  body: Buffer;
}

/** Fills a buffer from its start; fewer bytes than it holds only at the end. */
type Fill = (buffer: Buffer, signal: AbortSignal | undefined) => Promise<number>;

/** Cuts a source into parts of the size of the buffers that its readers bring. Any number of readers; each part goes to one. */
export class PartReader {
  /** How many bytes came so far. */
  bytes = 0;
  readonly #fill: Fill;
  readonly #turn = new Semaphore(1);
  #parts = 0;
  #ended = false;
  #held: Buffer | undefined;

  constructor(fill: Fill) {
    this.#fill = fill;
  }

  /** @returns undefined at the end. An empty source has no part. @throws what the source throws; CANCELLED. */
  async next(buffer: Buffer, signal: AbortSignal | undefined): Promise<Part | undefined> {
    await this.#turn.acquire(signal);
    try {
      if (this.#held !== undefined) return this.#giveHeld(buffer);
      if (this.#ended) return undefined;
      const filled = await this.#fill(buffer, signal);
      this.#ended = filled < buffer.length;
      this.bytes += filled;
      return filled === 0 ? undefined : { partNumber: ++this.#parts, body: buffer.subarray(0, filled) };
    } finally {
      this.#turn.release();
    }
  }

  /** The whole of what is to come when it is shorter than the buffer; otherwise it is kept for `next`, and undefined. */
  async whole(buffer: Buffer, signal: AbortSignal | undefined): Promise<Buffer | undefined> {
    const first = await this.next(buffer, signal);
    if (this.#ended) return first?.body ?? buffer.subarray(0, 0);
    this.#held = first?.body;
    return undefined;
  }

  #giveHeld(buffer: Buffer): Part {
    const held = this.#held!;
    this.#held = undefined;
    held.copy(buffer);
    return { partNumber: 1, body: buffer.subarray(0, held.length) };
  }
}

/** @throws EtcdOpsError STORE_FAILED when the file does not have `bytes` bytes any more: half a file must not pass for a whole one. */
export function fileParts(file: FileHandle, path: string, bytes: number): PartReader {
  let position = 0;
  return new PartReader(async (buffer, signal) => {
    let filled = 0;
    for (; filled < buffer.length;) {
      throwIfAborted(signal, 'Reading', path);
      const { bytesRead } = await file.read(buffer, filled, buffer.length - filled, position);
      if (bytesRead === 0) break;
      filled += bytesRead;
      position += bytesRead;
    }
    if (position > bytes || (filled < buffer.length && position !== bytes)) {
      throw new EtcdOpsError('STORE_FAILED', { message: `The file ${path} changed while it was read` });
    }
    return filled;
  });
}

const STREAM_BYTES_MAX_DEFAULT = 64 * 1024 ** 3;

/** Cuts a stream into parts for as long as `work` takes; afterwards whoever writes the stream learns that nobody reads on. */
export async function withStreamParts<Result>(
  source: AsyncIterable<Uint8Array>,
  { signal, bytesMax = STREAM_BYTES_MAX_DEFAULT }: StreamWriteOptions,
  work: (parts: PartReader, bytesMax: number) => Promise<Result>,
): Promise<Result> {
  const iterator = source[Symbol.asyncIterator]();
  try {
    return await work(streamParts(iterator, bytesMax), bytesMax);
  } finally {
    const told = iterator.return?.().catch(() => undefined);
    // One that is silent may take its time over that.
    if (signal?.aborted !== true) await told;
  }
}

/** @throws EtcdOpsError LIMIT_EXCEEDED when more than `bytesMax` bytes come; what the source throws; CANCELLED, also while the source is silent. */
function streamParts(source: AsyncIterator<Uint8Array>, bytesMax: number): PartReader {
  let rest: Uint8Array = new Uint8Array(0);
  let bytes = 0;
  return new PartReader(async (buffer, signal) => {
    let filled = 0;
    while (filled < buffer.length) {
      throwIfAborted(signal, 'Reading', 'the stream');
      if (rest.length === 0) {
        const { done, value } = await unlessAborted(source.next(), signal);
        if (done === true) break;
        rest = value;
        bytes += rest.length;
        if (bytes > bytesMax) throw tooLong(bytesMax);
      }
      const taken = rest.subarray(0, buffer.length - filled);
      buffer.set(taken, filled);
      filled += taken.length;
      rest = rest.subarray(taken.length);
    }
    return filled;
  });
}

async function unlessAborted<Result>(coming: Promise<Result>, signal: AbortSignal | undefined): Promise<Result> {
  if (signal === undefined) return await coming;
  const left = new AbortController();
  try {
    return await Promise.race([coming, rejectWhenAborted(signal, left.signal)]);
  } finally {
    left.abort();
  }
}

async function rejectWhenAborted(signal: AbortSignal, left: AbortSignal): Promise<never> {
  return await new Promise((_, reject) => {
    const aborted = (): void => reject(cancelled(signal.reason));
    if (signal.aborted) aborted();
    signal.addEventListener('abort', aborted, { once: true, signal: left });
  });
}

function tooLong(bytesMax: number): EtcdOpsError {
  return new EtcdOpsError('LIMIT_EXCEEDED', {
    message: `The stream is longer than the ${bytesMax} bytes that were expected`,
  });
}
