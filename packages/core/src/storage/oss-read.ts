import { EtcdOpsError } from '../base/errors.ts';
import type { OssCalls } from './oss-calls.ts';
import { Crc64 } from './oss-crc64.ts';
import type { RemoteObject, RemoteRange, RemoteRead, RequestOptions } from './remote-bucket.ts';

interface Wanted extends RequestOptions {
  key: string;
  range: RemoteRange;
  etag?: string;
  stat: () => Promise<RemoteObject | undefined>;
}

type Body = AsyncIterable<Buffer> & { destroy(): void };

/**
 * One download. OSS answers a range that does not lie wholly inside an object with the whole object, unless it is asked for the
 * standard behaviour; and where even that is ignored, what is too much is cut off here.
 */
export async function ossRead(calls: OssCalls, wanted: Wanted): Promise<RemoteRead> {
  const { key, range, etag, signal } = wanted;
  const asked = rangeHeader(range);
  const headers = {
    ...(asked === undefined ? {} : { Range: asked, 'x-oss-range-behavior': 'standard' }),
    ...(etag === undefined ? {} : { 'If-Match': etag }),
  };
  const found = await calls.run(
    { action: 'Reading', key, signal, expected: ['InvalidRange'] },
    async (sdk) => await sdk.getStream(key, { headers }),
  );
  if (found === 'InvalidRange') return await outOfRange(calls, wanted);
  const { status, headers: stated } = found.res;
  const answered = status === 206 ? parseContentRange(stated['content-range']) : undefined;
  const bytes = answered?.bytes ?? Number(stated['content-length'] ?? 0);
  const object = {
    key,
    bytes,
    modifiedAtMs: Date.parse(String(stated['last-modified'] ?? '')),
    etag: String(stated['etag'] ?? ''),
  };
  const { start, end } = clip(range, bytes);
  const from = answered?.from ?? 0;
  const whole = status === 200 && asked === undefined;
  const crc = whole && typeof stated['x-oss-hash-crc64ecma'] === 'string' ? stated['x-oss-hash-crc64ecma'] : undefined;
  const body =
    crc === undefined
      ? slice(found.stream, { skip: start - from, take: end - start })
      : checked(found.stream, { key, bytes, crc });
  return { object, start, end, body, discard: () => found.stream.destroy() };
}

/** Nothing of the object lies in the range, or it is shorter than the end that was asked for. */
async function outOfRange(calls: OssCalls, wanted: Wanted): Promise<RemoteRead> {
  const object = await wanted.stat();
  if (object === undefined) {
    throw new EtcdOpsError('STORE_NOT_FOUND', { message: `The object ${wanted.key} does not exist` });
  }
  const { start, end } = clip(wanted.range, object.bytes);
  if (end > start && 'last' in wanted.range) {
    return await ossRead(calls, { ...wanted, range: { from: start, to: end } });
  }
  return { object, start, end: start, body: nothing(), discard: () => {} };
}

function rangeHeader(range: RemoteRange): string | undefined {
  if ('last' in range) return `bytes=-${range.last}`;
  if (range.to !== undefined) return `bytes=${range.from}-${range.to - 1}`;
  return range.from === 0 ? undefined : `bytes=${range.from}-`;
}

function clip(range: RemoteRange, bytes: number): { start: number; end: number } {
  if ('last' in range) return { start: Math.max(0, bytes - range.last), end: bytes };
  const start = Math.min(range.from, bytes);
  return { start, end: Math.max(start, Math.min(range.to ?? bytes, bytes)) };
}

/** `bytes 10-29/100` */
function parseContentRange(text: string | string[] | undefined): { from: number; bytes: number } | undefined {
  const [, from, bytes] = /^bytes (\d+)-\d+\/(\d+)$/.exec(String(text)) ?? [];
  return from === undefined || bytes === undefined ? undefined : { from: Number(from), bytes: Number(bytes) };
}

async function* nothing(): AsyncGenerator<Buffer> {}

async function* slice(body: Body, { skip, take }: { skip: number; take: number }): AsyncGenerator<Buffer> {
  let at = 0;
  for await (const chunk of body) {
    const piece = chunk.subarray(Math.max(0, skip - at), Math.max(0, skip + take - at));
    at += chunk.length;
    if (piece.length > 0) yield piece;
    if (at >= skip + take) return;
  }
}

/** A whole object is held against the checksum that OSS has for it. */
async function* checked(
  body: Body,
  { key, bytes, crc }: { key: string; bytes: number; crc: string },
): AsyncGenerator<Buffer> {
  const running = new Crc64();
  let count = 0;
  for await (const chunk of body) {
    running.update(chunk);
    count += chunk.length;
    if (count === bytes && running.decimal !== crc) {
      throw new EtcdOpsError('OBJECT_DAMAGED', {
        message: `The object ${key} did not come as OSS holds it: its CRC-64 is ${running.decimal}, not ${crc}`,
        remedy: 'Read it again. If this recurs, something between here and the store changes what it passes on.',
      });
    }
    yield chunk;
  }
}
