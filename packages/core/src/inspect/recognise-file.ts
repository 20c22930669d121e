import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { EtcdOpsError } from '../base/errors.ts';
import { codecOfSuffix, type Codec } from '../codec/codec.ts';
import { AGE_ARMOR_MAGIC, AGE_MAGIC } from '../encryption/age-header.ts';
import { HEADER_MAGIC } from '../delta/delta-format.ts';

/** `database`: bbolt, with or without the hash that `snapshot save` appends. `document`: JSON of a repository, such as a manifest. */
export type FileKind = 'database' | 'delta' | 'wal' | 'raft-snapshot' | 'document';

export interface RecognisedFile {
  kind: FileKind;
  /** How the file as a whole is compressed; only databases are. */
  codec: Codec;
  /** An age file; what is inside is told by the name. */
  encryption?: 'age';
  bytes: number;
}

/** bbolt's page sizes; the second meta page tells what it is when the first is damaged. */
const PAGE_SIZES = [0, 4096, 8192, 16_384, 32_768, 65_536];
const PAGE_HEADER_BYTES = 16;
const BOLT_MAGIC = 0xed0c_daed;
const HEAD_BYTES = 65_536 + 64;
/** A log begins with a CRC record: its length in 8 bytes, then field 1 (type) = 4 and field 2 (the CRC). */
const WAL_START = Buffer.from('080410', 'hex');
const NAMES: readonly (readonly [RegExp, FileKind])[] = [
  [/\.delta$/, 'delta'],
  [/\.wal$/, 'wal'],
  [/\.snap$/, 'raft-snapshot'],
  [/\.json$/, 'document'],
  [/(?:^db|\.db|\.snap\.db)$/, 'database'],
];

/**
 * Tells what a file is: by its first bytes, and where damage took those, by its name.
 * @throws EtcdOpsError STORE_NOT_FOUND when there is no such file, OBJECT_DAMAGED when it is nothing that is known.
 */
export function recogniseFile(path: string): RecognisedFile {
  const facts = statSync(path, { throwIfNoEntry: false });
  if (facts?.isFile() !== true) {
    throw new EtcdOpsError('STORE_NOT_FOUND', {
      message: facts === undefined ? `There is no file ${path}` : `${path} is not a regular file`,
      remedy: 'Check the path.',
    });
  }
  const head = readHead(path, facts.size);
  if (isAge(path, head)) {
    const inside = path.replace(/\.age$/, '');
    const kind = kindOfName(inside) ?? 'database';
    return { kind, codec: codecOfName(inside) ?? 'none', encryption: 'age', bytes: facts.size };
  }
  const codec = codecOf(path, head);
  const kind = codec === 'none' ? (kindOfBytes(head) ?? kindOfName(path)) : 'database';
  if (kind !== undefined) return { kind, codec, bytes: facts.size };
  const begins = head.length === 0 ? 'it is empty' : `it begins with ${head.subarray(0, 16).toString('hex')}`;
  throw new EtcdOpsError('OBJECT_DAMAGED', {
    message: `${path} is nothing that etcd or etcd-ops writes: ${begins}`,
    remedy: 'Name a full, a delta, a manifest, a .wal, a .snap, a db or a data directory.',
  });
}

function readHead(path: string, bytes: number): Buffer {
  const descriptor = openSync(path, 'r');
  try {
    const head = Buffer.alloc(Math.min(bytes, HEAD_BYTES));
    return head.subarray(0, readSync(descriptor, head, 0, head.length, 0));
  } finally {
    closeSync(descriptor);
  }
}

/** zlib's first bytes are too common to go by. */
function codecOf(path: string, head: Buffer): Codec {
  const named = codecOfName(path);
  if (named !== undefined) return named;
  if (head.subarray(0, 3).equals(Buffer.from('1f8b08', 'hex'))) return 'gzip';
  if (head.subarray(0, 4).equals(Buffer.from('28b52ffd', 'hex'))) return 'zstd';
  return 'none';
}

function codecOfName(path: string): Codec | undefined {
  const suffix = /\.(?:gz|zz|zst)$/.exec(basename(path))?.[0];
  return suffix === undefined ? undefined : codecOfSuffix(suffix);
}

function isAge(path: string, head: Buffer): boolean {
  const begins = (magic: Buffer): boolean => head.subarray(0, magic.length).equals(magic);
  return begins(AGE_MAGIC) || begins(AGE_ARMOR_MAGIC) || path.endsWith('.age');
}

function kindOfBytes(head: Buffer): FileKind | undefined {
  if (head.subarray(0, HEADER_MAGIC.length).equals(HEADER_MAGIC)) return 'delta';
  const isMeta = (offset: number): boolean =>
    head.length >= offset + PAGE_HEADER_BYTES + 4 && head.readUInt32LE(offset + PAGE_HEADER_BYTES) === BOLT_MAGIC;
  if (PAGE_SIZES.some(isMeta)) return 'database';
  if (head.subarray(8, 8 + WAL_START.length).equals(WAL_START)) return 'wal';
  return head[0] === 0x7b /* { */ ? 'document' : undefined;
}

function kindOfName(path: string): FileKind | undefined {
  return NAMES.find(([pattern]) => pattern.test(basename(path)))?.[1];
}
