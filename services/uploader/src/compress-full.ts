import { compressStream, type Codec } from '@etcd-ops/core';
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { SpooledSnapshot } from './spool-snapshot.ts';

const CHUNK_BYTES = 1024 * 1024;

export interface StoredFile {
  path: string;
  bytes: number;
  /** Of the bytes as they are going to be stored, lower-case hex. */
  sha256: string;
}

/** The file as it is going to be stored: compressed to `path`, or the snapshot itself. */
export async function compressFull(
  spooled: SpooledSnapshot,
  path: string,
  codec: Codec,
  signal: AbortSignal,
): Promise<StoredFile> {
  if (codec === 'none') return spooled;
  const hash = createHash('sha256');
  let bytes = 0;
  const measure = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      bytes += chunk.length;
      done(null, chunk);
    },
  });
  const source = createReadStream(spooled.path, { highWaterMark: CHUNK_BYTES });
  await pipeline(
    source,
    compressStream(codec),
    measure,
    createWriteStream(path, { flags: 'wx', mode: 0o600, flush: true }),
    { signal },
  );
  return { path, bytes, sha256: hash.digest('hex') };
}
