/** How stored bytes are compressed. The position in this list is the id that files hold: append only. */
export const CODECS = ['none', 'gzip', 'zlib', 'zstd'] as const;
export type Codec = (typeof CODECS)[number];

const SUFFIXES: Record<Codec, string> = { none: '', gzip: '.gz', zlib: '.zz', zstd: '.zst' };

/** The id of a codec in binary formats (docs/FORMAT.md). */
export function codecId(codec: Codec): number {
  return CODECS.indexOf(codec);
}

/** The codec of an id, or undefined when this version knows none of that id. */
export function codecOfId(id: number): Codec | undefined {
  return CODECS[id];
}

/** What a compressed file's name ends with: '', '.gz', '.zz' or '.zst'. */
export function codecSuffix(codec: Codec): string {
  return SUFFIXES[codec];
}

/** The codec whose suffix is exactly `suffix` ('' is 'none'). */
export function codecOfSuffix(suffix: string): Codec | undefined {
  return CODECS.find((codec) => SUFFIXES[codec] === suffix);
}
