import { ageHeaderBytes, AGE_HEADER_BYTES_MAX, openAgeHeader, readClearFacts } from './age-header.ts';
import {
  AGE_CHUNK_BYTES,
  AGE_NONCE_BYTES,
  AGE_TAG_BYTES,
  AgePayload,
  damagedAge,
  plainBytesOf,
} from './age-payload.ts';
import type { ClearFacts } from './clear-facts.ts';
import type { Identities } from './identities.ts';

/** Bytes that can be read anywhere. `read` returns exactly the bytes asked for, which always lie inside. */
export interface ByteSource {
  bytes: number;
  read(offset: number, length: number): Promise<Buffer>;
}

/** The header of two recipients and a delta's facts fits into it. */
const HEAD_READ_BYTES = 4 * 1024;
const SEALED_CHUNK_BYTES = AGE_CHUNK_BYTES + AGE_TAG_BYTES;

/**
 * What an encrypted object says in clear, with one small read; undefined when another program encrypted it.
 * @throws EtcdOpsError OBJECT_DAMAGED, and what the source throws.
 */
export async function readSourceFacts(source: ByteSource): Promise<ClearFacts | undefined> {
  const { head, headerBytes } = await readHead(source);
  return await readClearFacts(head.subarray(0, headerBytes));
}

/**
 * Whether an identity at hand opens an encrypted object, by its header alone.
 * @throws EtcdOpsError IDENTITY_MISSING naming it, OBJECT_DAMAGED, and what the source throws.
 */
export async function assertOpens(name: string, source: ByteSource, identities: Identities | undefined): Promise<void> {
  const { head, headerBytes } = await readHead(source);
  await openAgeHeader(name, head.subarray(0, headerBytes), identities);
}

export interface OpenedAgeSource extends ByteSource {
  facts: ClearFacts | undefined;
}

/**
 * The plain bytes of an encrypted source, read anywhere: only the chunks that hold them are fetched, and each is checked. That
 * the size is right, too, is vouched for by the last chunk, which is marked as such.
 * @throws EtcdOpsError IDENTITY_MISSING naming it, OBJECT_DAMAGED, and what the source throws.
 */
export async function openAgeSource(
  name: string,
  source: ByteSource,
  identities: Identities | undefined,
): Promise<OpenedAgeSource> {
  const { head, headerBytes } = await readHead(source);
  const { fileKey, facts } = await openAgeHeader(name, head.subarray(0, headerBytes), identities);
  const payloadAt = headerBytes + AGE_NONCE_BYTES;
  const bytes = plainBytesOf(source.bytes - payloadAt);
  const payload = new AgePayload(fileKey, head.subarray(headerBytes, payloadAt));
  const lastChunk = Math.max(0, Math.ceil(bytes / AGE_CHUNK_BYTES) - 1);
  // Nobody will ask for a byte of it: that it is empty is checked now.
  if (bytes === 0) payload.open(await readExactly(source, payloadAt, AGE_TAG_BYTES), 0, true);
  return {
    bytes,
    facts,
    async read(offset, length) {
      if (length === 0) return Buffer.alloc(0);
      const from = Math.floor(offset / AGE_CHUNK_BYTES);
      const to = Math.floor((offset + length - 1) / AGE_CHUNK_BYTES);
      const begin = payloadAt + from * SEALED_CHUNK_BYTES;
      const end = Math.min(source.bytes, payloadAt + (to + 1) * SEALED_CHUNK_BYTES);
      const sealed = await readExactly(source, begin, end - begin);
      const parts: Buffer[] = [];
      for (let chunk = from; chunk <= to; chunk++) {
        const at = (chunk - from) * SEALED_CHUNK_BYTES;
        parts.push(payload.open(sealed.subarray(at, at + SEALED_CHUNK_BYTES), chunk, chunk === lastChunk));
      }
      const plain = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
      const skip = offset - from * AGE_CHUNK_BYTES;
      return plain.subarray(skip, skip + length);
    },
  };
}

/** Header and nonce, in one read mostly. */
async function readHead(source: ByteSource): Promise<{ head: Buffer; headerBytes: number }> {
  let wanted = HEAD_READ_BYTES;
  for (;;) {
    const head = await readExactly(source, 0, Math.min(source.bytes, wanted));
    const headerBytes = head.length === 0 ? undefined : ageHeaderBytes(head);
    if (headerBytes !== undefined && head.length >= headerBytes + AGE_NONCE_BYTES) return { head, headerBytes };
    if (head.length === source.bytes) throw damagedAge('it ends inside of its header');
    wanted = AGE_HEADER_BYTES_MAX + AGE_NONCE_BYTES;
  }
}

async function readExactly(source: ByteSource, offset: number, length: number): Promise<Buffer> {
  const bytes = await source.read(offset, length);
  if (bytes.length === length) return bytes;
  throw damagedAge(`the store gave ${bytes.length} bytes where ${length} were asked for`);
}
