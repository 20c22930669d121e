import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import type { Transform } from 'node:stream';
import { EtcdOpsError } from '../base/errors.ts';
import { decompressStream } from '../codec/codec-stream.ts';
import { LzwDecompress } from './lzw-stream.ts';
import type { ForeignCodec } from './snapshot-name.ts';

/** What a compressed object may grow to: no database of etcd and no delta is that large. */
const PLAIN_BYTES_MAX = 256 * 1024 ** 3;
const SHA256_BYTES = 32;
const CHUNK_BYTES = 512 * 1024;
const NOTHING = Buffer.alloc(0);

/** Decompresses what is piped through it, bounded. Its errors are EtcdOpsError OBJECT_DAMAGED. */
export function foreignDecompressStream(codec: ForeignCodec): Transform {
  return codec === 'lzw' ? new LzwDecompress() : decompressStream(codec, { plainBytesMax: PLAIN_BYTES_MAX });
}

/** Writes the plain bytes of a source to a new file. */
export async function writePlain(
  source: AsyncIterable<Buffer>,
  path: string,
  { codec, signal }: { codec: ForeignCodec; signal?: AbortSignal | undefined },
): Promise<void> {
  const sink = createWriteStream(path, { flags: 'wx', mode: 0o600 });
  const aborting = signal === undefined ? {} : { signal };
  await pipeline(source, foreignDecompressStream(codec), sink, aborting);
}

/**
 * The bytes of a file whose last 32 are the SHA-256 of the others, without those 32.
 * @throws EtcdOpsError DELTA_DAMAGED at the end, when they are not that hash.
 */
export async function* readHashed(path: string, signal?: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
  const hash = createHash('sha256');
  let held: Buffer = NOTHING;
  const source: AsyncIterable<Buffer> = createReadStream(path, { highWaterMark: CHUNK_BYTES, signal });
  for await (const chunk of source) {
    // The hash is known only when nothing comes behind it, so that many bytes are always held back.
    const bytes = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    const end = Math.max(0, bytes.length - SHA256_BYTES);
    const body = bytes.subarray(0, end);
    held = Buffer.from(bytes.subarray(end));
    hash.update(body);
    if (end > 0) yield body;
  }
  if (held.length < SHA256_BYTES) throw wrong('it is too short for the SHA-256 at its end');
  const found = hash.digest('hex');
  if (found !== held.toString('hex')) {
    throw wrong(`its SHA-256 is ${found}, and ${held.toString('hex')} stands at its end`);
  }
}

function wrong(rule: string): EtcdOpsError {
  return new EtcdOpsError('DELTA_DAMAGED', { message: rule });
}
