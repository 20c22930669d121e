import { constants, type ZlibOptions, type ZstdOptions } from 'node:zlib';

/** Level 1 everywhere: snapshots are written far more often than read, and the disk or network is the limit. */
export const DEFLATE_OPTIONS: ZlibOptions = { level: 1 };

/** Never set nbWorkers: with Node 24 a zstd stream that has workers writes truncated data and reports no error. */
export const ZSTD_OPTIONS: ZstdOptions = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };
