import { constants, type ZlibOptions, type ZstdOptions } from 'node:zlib';
import type { Codec } from './codec.ts';

/** Snapshots are written far more often than read, and the disk or network is the limit. */
export const LEVEL_DEFAULT = 1;

/** Highest level of each codec; the lowest is 1. zstd's levels above 19 need memory that a reader need not have. */
export const LEVEL_MAX: Readonly<Record<Codec, number>> = { none: 1, gzip: 9, zlib: 9, zstd: 19 };

export function deflateOptions(level: number = LEVEL_DEFAULT): ZlibOptions {
  return { level };
}

/** Never set nbWorkers: with Node 24 a zstd stream that has workers writes truncated data and reports no error. */
export function zstdOptions(level: number = LEVEL_DEFAULT): ZstdOptions {
  return { params: { [constants.ZSTD_c_compressionLevel]: level } };
}
