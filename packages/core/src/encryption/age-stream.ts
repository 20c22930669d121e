import { randomBytes } from 'node:crypto';
import { ageHeaderBytes, makeAgeHeader, openAgeHeader } from './age-header.ts';
import {
  AGE_CHUNK_BYTES,
  AGE_NONCE_BYTES,
  AGE_TAG_BYTES,
  damagedAge,
  openChunk,
  payloadKey,
  sealChunk,
} from './age-payload.ts';
import { BlockCutter } from './block-cutter.ts';
import type { ClearDeltaFacts } from './clear-facts.ts';
import type { Identities } from './identities.ts';
import type { Recipients } from './recipients.ts';

/** So many chunks are given on together: 512 KiB. */
const CHUNKS_TOGETHER = 8;

export type ByteStage = (source: AsyncIterable<Buffer>) => AsyncGenerator<Buffer, void, undefined>;

/** A stage for `stream.pipeline` that turns bytes into an age file. Memory: about 1 MiB. */
export function encryptStage(recipients: Recipients, delta?: ClearDeltaFacts): ByteStage {
  return async function* (source) {
    const { header, fileKey } = await makeAgeHeader(recipients, delta);
    const nonce = randomBytes(AGE_NONCE_BYTES);
    const key = payloadKey(fileKey, nonce);
    yield Buffer.concat([header, nonce]);
    const seal = (plain: Buffer, index: number, last: boolean): Buffer[] => sealChunk(key, index, plain, last);
    yield* byBlocks(source, AGE_CHUNK_BYTES, seal);
  };
}

/**
 * A stage that gives the plain bytes of an age file. No byte is given on before the tag of its chunk was checked.
 * @throws EtcdOpsError IDENTITY_MISSING naming the object, OBJECT_DAMAGED.
 */
export function decryptStage(name: string, identities: Identities | undefined): ByteStage {
  return async function* (source) {
    const iterator = source[Symbol.asyncIterator]();
    try {
      const { begin, headerBytes } = await readBegin(iterator);
      const { fileKey } = await openAgeHeader(name, begin.subarray(0, headerBytes), identities);
      const payloadAt = headerBytes + AGE_NONCE_BYTES;
      const key = payloadKey(fileKey, begin.subarray(headerBytes, payloadAt));
      const open = (sealed: Buffer, index: number, last: boolean): Buffer[] => [openChunk(key, index, sealed, last)];
      yield* byBlocks(rest(begin.subarray(payloadAt), iterator), AGE_CHUNK_BYTES + AGE_TAG_BYTES, open);
    } finally {
      await iterator.return?.();
    }
  };
}

/** Reads up to the end of the header and of the nonce behind it. */
async function readBegin(iterator: AsyncIterator<Buffer>): Promise<{ begin: Buffer; headerBytes: number }> {
  let begin: Buffer = Buffer.alloc(0);
  for (;;) {
    const headerBytes = begin.length === 0 ? undefined : ageHeaderBytes(begin);
    if (headerBytes !== undefined && begin.length >= headerBytes + AGE_NONCE_BYTES) return { begin, headerBytes };
    const next = await iterator.next();
    if (next.done === true) throw damagedAge('it ends inside of its header');
    begin = Buffer.concat([begin, next.value]);
  }
}

async function* rest(first: Buffer, iterator: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  yield first;
  for (;;) {
    const next = await iterator.next();
    if (next.done === true) return;
    yield next.value;
  }
}

async function* byBlocks(
  source: AsyncIterable<Buffer>,
  blockBytes: number,
  turn: (block: Buffer, index: number, last: boolean) => Buffer[],
): AsyncGenerator<Buffer, void, undefined> {
  const cutter = new BlockCutter(blockBytes);
  let parts: Buffer[] = [];
  let index = 0;
  for await (const bytes of source) {
    for (const block of cutter.add(bytes)) {
      parts.push(...turn(block, index++, false));
      if (index % CHUNKS_TOGETHER !== 0) continue;
      yield Buffer.concat(parts);
      parts = [];
    }
  }
  parts.push(...turn(cutter.last(), index, true));
  yield Buffer.concat(parts);
}
