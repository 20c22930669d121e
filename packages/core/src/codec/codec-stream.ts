import { PassThrough, type Transform } from 'node:stream';
import {
  createDeflate,
  createGunzip,
  createGzip,
  createInflate,
  createZstdCompress,
  createZstdDecompress,
} from 'node:zlib';
import { EtcdOpsError, isEtcdOpsError } from '../base/errors.ts';
import type { Codec } from './codec.ts';
import { deflateOptions, zstdOptions } from './compression-level.ts';

/** Services have malloc map buffers of 128 KiB and more anew each time (docs/OPERATIONS.md, Memory): those that come out stay below. */
const COMPRESSED_CHUNK_BYTES = 64 * 1024;
const PLAIN_CHUNK_BYTES = 256 * 1024;

/** Compresses whatever is piped through it; level 1 unless told. `none` passes the bytes on. */
export function compressStream(codec: Codec, level?: number): Transform {
  switch (codec) {
    case 'none':
      return new PassThrough();
    case 'gzip':
      return createGzip({ ...deflateOptions(level), chunkSize: COMPRESSED_CHUNK_BYTES });
    case 'zlib':
      return createDeflate({ ...deflateOptions(level), chunkSize: COMPRESSED_CHUNK_BYTES });
    case 'zstd':
      return createZstdCompress({ ...zstdOptions(level), chunkSize: COMPRESSED_CHUNK_BYTES });
  }
}

export interface DecompressOptions {
  /** The stream fails (OBJECT_DAMAGED) as soon as more plain bytes than this have come out: the guard against bombs. */
  plainBytesMax: number;
}

/**
 * Decompresses whatever is piped through it, one chunk at a time. Its error is always EtcdOpsError OBJECT_DAMAGED when
 * the bytes are wrong, cut short, or hold more than `plainBytesMax`.
 */
export function decompressStream(codec: Codec, options: DecompressOptions): Transform {
  const stream = createDecompressor(codec);
  let plainBytes = 0;
  const push = stream.push.bind(stream);
  // The zlib streams know no output bound of their own (maxOutputLength is for the one-shot calls only).
  stream.push = (chunk: Buffer | null): boolean => {
    plainBytes += chunk?.length ?? 0;
    if (plainBytes <= options.plainBytesMax) return push(chunk);
    stream.destroy(
      new EtcdOpsError('OBJECT_DAMAGED', {
        message: `A ${codec} stream holds more than the ${options.plainBytesMax} bytes it may have`,
      }),
    );
    return false;
  };
  const destroy = stream._destroy.bind(stream);
  stream._destroy = (error, callback) => destroy(error === null ? null : asDamage(codec, error), callback);
  return stream;
}

function createDecompressor(codec: Codec): Transform {
  switch (codec) {
    case 'none':
      return new PassThrough();
    case 'gzip':
      return createGunzip({ chunkSize: PLAIN_CHUNK_BYTES });
    case 'zlib':
      return createInflate({ chunkSize: PLAIN_CHUNK_BYTES });
    case 'zstd':
      return createZstdDecompress({ chunkSize: PLAIN_CHUNK_BYTES });
  }
}

/** Errors of the compression library say only `incorrect header check`; those of the source pass as they are. */
function asDamage(codec: Codec, error: Error): Error {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (isEtcdOpsError(error) || !/^(Z_|ZSTD_)/.test(code)) return error;
  return new EtcdOpsError('OBJECT_DAMAGED', { message: `A ${codec} stream does not decompress`, cause: error });
}
