import { deflateSync, gunzipSync, gzipSync, inflateSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { EtcdOpsError } from '../base/errors.ts';
import type { Codec } from './codec.ts';
import { deflateOptions, zstdOptions } from './compression-level.ts';

/** Compresses a block held in memory; level 1 unless told. `none` returns the given bytes themselves. */
export function compressBlock(codec: Codec, bytes: Buffer, level?: number): Buffer {
  switch (codec) {
    case 'none':
      return bytes;
    case 'gzip':
      return gzipSync(bytes, deflateOptions(level));
    case 'zlib':
      return deflateSync(bytes, deflateOptions(level));
    case 'zstd':
      return zstdCompressSync(bytes, zstdOptions(level));
  }
}

/**
 * Restores a block that must have exactly `plainBytes` bytes. Memory grows only as far as the data really goes and
 * never beyond `plainBytes`, so a forged length or a compression bomb costs nothing: the caller bounds `plainBytes`.
 * `none` returns the given bytes themselves.
 * @throws EtcdOpsError OBJECT_DAMAGED when the bytes do not decompress to that length.
 */
export function decompressBlock(codec: Codec, bytes: Buffer, plainBytes: number): Buffer {
  const plain = codec === 'none' ? bytes : inflate(codec, bytes, plainBytes);
  if (plain.length !== plainBytes) {
    throw new EtcdOpsError('OBJECT_DAMAGED', {
      message: `A ${codec} block of ${bytes.length} bytes holds ${plain.length} bytes and not the ${plainBytes} it promises`,
    });
  }
  return plain;
}

function inflate(codec: Exclude<Codec, 'none'>, bytes: Buffer, plainBytes: number): Buffer {
  // zlib refuses a bound of 0, and an empty block has an encoding too.
  const options = { maxOutputLength: Math.max(plainBytes, 1) };
  try {
    if (codec === 'gzip') return gunzipSync(bytes, options);
    if (codec === 'zlib') return inflateSync(bytes, options);
    return zstdDecompressSync(bytes, options);
  } catch (error) {
    throw new EtcdOpsError('OBJECT_DAMAGED', {
      message: `A ${codec} block of ${bytes.length} bytes does not decompress to the ${plainBytes} bytes it promises`,
      cause: error,
    });
  }
}
