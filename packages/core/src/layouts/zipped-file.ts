import { open, type FileHandle } from 'node:fs/promises';
import { createReadStream } from 'node:fs';
import { pipeline, type Readable } from 'node:stream';
import { createInflateRaw } from 'node:zlib';
import { EtcdOpsError } from '../base/errors.ts';

/** Format: PKWARE's APPNOTE.TXT, 4.3. */
const END_SIGNATURE = 0x06054b50;
const END64_LOCATOR_SIGNATURE = 0x07064b50;
const END64_SIGNATURE = 0x06064b50;
const ENTRY_SIGNATURE = 0x02014b50;
const LOCAL_SIGNATURE = 0x04034b50;
const END_BYTES = 22;
const LOCATOR_BYTES = 20;
const END64_BYTES = 56;
const ENTRY_BYTES = 46;
const LOCAL_BYTES = 30;
const COMMENT_BYTES_MAX = 0xffff;
const DIRECTORY_BYTES_MAX = 1024 * 1024;
const ZIP64_EXTRA = 1;
const IN_EXTRA = 0xffffffff;
const [STORED, DEFLATED] = [0, 8];

interface Entry {
  method: number;
  storedBytes: number;
  offset: number;
}

/**
 * The content of the one file in a zip archive, as k3s compresses its snapshots; archives above 4 GiB, too. Its CRC is not looked at:
 * etcd's own SHA-256 is at the end of what is in it.
 * @throws EtcdOpsError OBJECT_DAMAGED when it is no archive, or holds anything but one file.
 */
export async function openZippedFile(path: string): Promise<Readable> {
  const { method, storedBytes, offset } = await findEntry(path);
  if (storedBytes === 0) throw damaged(path, 'its file is empty');
  const stored = createReadStream(path, { start: offset, end: offset + storedBytes - 1, highWaterMark: 512 * 1024 });
  // Whoever reads is told of an error of the file as well.
  return method === STORED ? stored : pipeline(stored, createInflateRaw(), () => undefined);
}

async function findEntry(path: string): Promise<Entry> {
  await using file = await openFile(path);
  const { size } = await file.handle.stat();
  const directory = await readDirectory(file.handle, size, path);
  const entry = decodeEntry(directory, path);
  const local = await readAt(file.handle, entry.offset, LOCAL_BYTES, path);
  if (local.readUInt32LE(0) !== LOCAL_SIGNATURE) throw damaged(path, 'its file has no header');
  const offset = entry.offset + LOCAL_BYTES + local.readUInt16LE(26) + local.readUInt16LE(28);
  if (offset + entry.storedBytes > size) throw damaged(path, 'its file ends behind the archive');
  return { ...entry, offset };
}

/** The central directory, which must be of one entry. */
async function readDirectory(file: FileHandle, size: number, path: string): Promise<Buffer> {
  const tailBytes = Math.min(size, END_BYTES + COMMENT_BYTES_MAX + LOCATOR_BYTES);
  const tail = await readAt(file, size - tailBytes, tailBytes, path);
  let at = tail.length - END_BYTES;
  while (at >= 0 && tail.readUInt32LE(at) !== END_SIGNATURE) at--;
  if (at < 0) throw damaged(path, 'it has no end of a zip archive');
  let [entries, bytes, offset] = [tail.readUInt16LE(at + 10), tail.readUInt32LE(at + 12), tail.readUInt32LE(at + 16)];
  const locator = at - LOCATOR_BYTES;
  if (locator >= 0 && tail.readUInt32LE(locator) === END64_LOCATOR_SIGNATURE) {
    const end = await readAt(file, safeUint64(tail, locator + 8, path), END64_BYTES, path);
    if (end.readUInt32LE(0) !== END64_SIGNATURE) throw damaged(path, 'its zip64 end is missing');
    [entries, bytes, offset] = [32, 40, 48].map((field) => safeUint64(end, field, path)) as [number, number, number];
  }
  if (entries !== 1) throw damaged(path, `it holds ${entries} files, and a snapshot is one`);
  if (bytes > DIRECTORY_BYTES_MAX) throw damaged(path, 'its directory is too large');
  return await readAt(file, offset, bytes, path);
}

function decodeEntry(directory: Buffer, path: string): Entry {
  if (directory.length < ENTRY_BYTES || directory.readUInt32LE(0) !== ENTRY_SIGNATURE) {
    throw damaged(path, 'its directory is none');
  }
  const method = directory.readUInt16LE(10);
  if ((directory.readUInt16LE(8) & 1) === 1) throw damaged(path, 'its file is encrypted');
  if (method !== STORED && method !== DEFLATED) throw damaged(path, `the method ${method} of its file is unknown`);
  const plainBytes = directory.readUInt32LE(24);
  let storedBytes = directory.readUInt32LE(20);
  let offset = directory.readUInt32LE(42);
  const nameBytes = directory.readUInt16LE(28);
  const extra = directory.subarray(ENTRY_BYTES + nameBytes, ENTRY_BYTES + nameBytes + directory.readUInt16LE(30));
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== ZIP64_EXTRA) continue;
    // The fields that did not fit, in this order and only those.
    let field = at + 4 + (plainBytes === IN_EXTRA ? 8 : 0);
    if (storedBytes === IN_EXTRA) {
      storedBytes = safeUint64(extra, field, path);
      field += 8;
    }
    if (offset === IN_EXTRA) offset = safeUint64(extra, field, path);
    break;
  }
  return { method, storedBytes, offset };
}

function safeUint64(bytes: Buffer, offset: number, path: string): number {
  const value = offset + 8 <= bytes.length ? Number(bytes.readBigUInt64LE(offset)) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw damaged(path, 'a number is missing or too large');
  return value;
}

async function openFile(path: string): Promise<{ handle: FileHandle } & AsyncDisposable> {
  const handle = await open(path, 'r');
  return { handle, [Symbol.asyncDispose]: async () => await handle.close() };
}

async function readAt(file: FileHandle, offset: number, length: number, path: string): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  const { bytesRead } = offset < 0 ? { bytesRead: -1 } : await file.read(bytes, 0, length, offset);
  if (bytesRead !== length) throw damaged(path, 'it is cut short');
  return bytes;
}

function damaged(path: string, rule: string): EtcdOpsError {
  return new EtcdOpsError('OBJECT_DAMAGED', { message: `${path} is no usable zip archive: ${rule}` });
}
