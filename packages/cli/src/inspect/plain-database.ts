import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import {
  decompressStream,
  decryptStage,
  EtcdOpsError,
  isEtcdOpsError,
  type Codec,
  type Identities,
} from '@etcd-ops/core';

export interface PlainDatabaseOptions {
  codec: Codec;
  encryption?: 'age' | undefined;
  identities?: Identities | undefined;
  bytes: number;
  /** As a manifest has it; guards against what unpacks without end. */
  plainBytes?: number | undefined;
  tempDir?: string | undefined;
  signal: AbortSignal;
  onProgress: (phase: string, bytesDone: number, bytesTotal: number) => void;
}

export interface PlainDatabase extends AsyncDisposable {
  readonly path: string;
}

const CHUNK_BYTES = 1024 * 1024;
/** More than any etcd holds. */
const PLAIN_BYTES_MAX = 256 * 1024 ** 3;

/** A database file that can be read in place: the file itself, or what it unpacks to, which is gone when the scope ends. */
export async function plainDatabase(path: string, options: PlainDatabaseOptions): Promise<PlainDatabase> {
  const isPlain = options.codec === 'none' && options.encryption === undefined;
  if (isPlain) return { path, [Symbol.asyncDispose]: () => Promise.resolve() };
  const directory = await makeDirectory(options.tempDir ?? tmpdir());
  const dispose = (): Promise<void> => rm(directory, { recursive: true, force: true });
  try {
    const plain = join(directory, 'db');
    await unpack(path, plain, options);
    return { path: plain, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function unpack(path: string, plain: string, options: PlainDatabaseOptions): Promise<void> {
  const { codec, encryption, identities, bytes, signal, onProgress } = options;
  const source = createReadStream(path, { highWaterMark: CHUNK_BYTES });
  let done = 0;
  source.on('data', (chunk) => onProgress('unpack', (done += chunk.length), bytes));
  const plainBytesMax = options.plainBytes ?? PLAIN_BYTES_MAX;
  try {
    const decompress = decompressStream(codec, { plainBytesMax });
    const sink = createWriteStream(plain, { mode: 0o600, highWaterMark: CHUNK_BYTES });
    if (encryption === undefined) await pipeline(source, decompress, sink, { signal });
    else await pipeline(source, decryptStage(path, identities), decompress, sink, { signal });
  } catch (error) {
    if (signal.aborted) throw new EtcdOpsError('CANCELLED', { message: 'The operation was cancelled', cause: error });
    if (isEtcdOpsError(error, 'IDENTITY_MISSING')) throw error;
    if (isEtcdOpsError(error)) {
      throw new EtcdOpsError(error.code, { message: `${path}: ${error.message}`, cause: error.cause });
    }
    throw new EtcdOpsError('DISK_FAILED', { message: `${path} could not be unpacked`, cause: error });
  }
}

async function makeDirectory(parent: string): Promise<string> {
  try {
    return await mkdtemp(join(parent, 'etcd-ops-inspect-'));
  } catch (error) {
    throw new EtcdOpsError('DISK_FAILED', {
      message: `No directory can be made in ${parent}`,
      remedy: 'Name another one with --temp-dir.',
      cause: error,
    });
  }
}
