import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
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
  // Chunks gather while others are written: encrypted ones come with their tags in pieces of their own.
  const sink = createWriteStream(target, { flags: 'wx', mode: 0o600, flush: true, highWaterMark: CHUNK_BYTES });
  const compress = compressStream(codec, compressionLevel);
  if (recipients === undefined) {
    await pipeline(recycledChunks(file.path), compress, measure, sink, { signal });
  } else if (codec === 'none') {
    const source = createReadStream(file.path, { highWaterMark: CHUNK_BYTES });
    await pipeline(source, encryptStage(recipients), measure, sink, { signal });
  } else {
    await pipeline(recycledChunks(file.path), compress, encryptStage(recipients), measure, sink, { signal });
  }
  return { path: target, bytes, sha256: hash.digest('hex') };
}

/**
 * A file in chunks that are valid until the next one is asked for, while which it is read ahead. For compressors alone: they have taken
 * a chunk in by then, since one of them is more than they let wait. Fresh buffers would cost as much as the compression.
 */
async function* recycledChunks(path: string): AsyncGenerator<Buffer> {
  const file = await open(path, 'r');
  let [chunk, other] = [Buffer.allocUnsafeSlow(CHUNK_BYTES), Buffer.allocUnsafeSlow(CHUNK_BYTES)];
  let coming = file.read(chunk, 0, CHUNK_BYTES);
  try {
    for (;;) {
      const { bytesRead } = await coming;
      if (bytesRead === 0) return;
      coming = file.read(other, 0, CHUNK_BYTES);
      yield chunk.subarray(0, bytesRead);
      [chunk, other] = [other, chunk];
    }
  } finally {
    await coming.catch(() => undefined);
    await file.close();
  }
}
