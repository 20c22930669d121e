import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { compressStream } from '../codec/codec-stream.ts';
import type { Codec } from '../codec/codec.ts';
import { encryptStage } from '../encryption/age-stream.ts';
import type { Recipients } from '../encryption/recipients.ts';
import type { Encryption } from './object-key.ts';

/** What is done to snapshots on their way into the store. */
export interface Packing {
  codec: Codec;
  /** 1 unless told. */
  compressionLevel?: number | undefined;
  /** Encrypted to these; absent: stored in clear. */
  recipients?: Recipients | undefined;
}

export const STORED_PLAIN: Packing = { codec: 'none' };

export interface PackedFile {
  path: string;
  bytes: number;
  /** Of the bytes as they are going to be stored, lower-case hex. */
  sha256: string;
}

const CHUNK_BYTES = 1024 * 1024;

/** As keys and manifests have it. */
export function encryptionOfPacking({ recipients }: Packing): { encryption?: Encryption } {
  return recipients === undefined ? {} : { encryption: 'age' };
}

/**
 * A file as it is going to be stored: compressed, then encrypted, to `target`, which is synced; or the file itself when there is
 * nothing to be done to it. Memory: a few MiB.
 */
export async function packFile(
  file: PackedFile,
  { target, packing, signal }: { target: string; packing: Packing; signal: AbortSignal },
): Promise<PackedFile> {
  const { codec, compressionLevel, recipients } = packing;
  if (codec === 'none' && recipients === undefined) return file;
  const hash = createHash('sha256');
  let bytes = 0;
  async function* measure(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      hash.update(chunk);
      bytes += chunk.length;
      yield chunk;
    }
  }
  const source = createReadStream(file.path, { highWaterMark: CHUNK_BYTES });
  const sink = createWriteStream(target, { flags: 'wx', mode: 0o600, flush: true });
  const compress = compressStream(codec, compressionLevel);
  if (recipients === undefined) await pipeline(source, compress, measure, sink, { signal });
  else if (codec === 'none') await pipeline(source, encryptStage(recipients), measure, sink, { signal });
  else await pipeline(source, compress, encryptStage(recipients), measure, sink, { signal });
  return { path: target, bytes, sha256: hash.digest('hex') };
}
