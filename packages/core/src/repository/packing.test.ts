import { createHash, randomFillSync } from 'node:crypto';
import { createReadStream, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { afterAll, expect, test } from 'vitest';
import { decompressStream } from '../codec/codec-stream.ts';
import type { Codec } from '../codec/codec.ts';
import { decryptStage } from '../encryption/age-stream.ts';
import { sampleIdentities, sampleRecipients } from '../encryption/encryption-samples.ts';
import { packFile } from './packing.ts';

const directory = mkdtempSync(join(tmpdir(), 'etcd-ops-packing-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
/** Half of it compresses; it ends inside a chunk. */
const plain = Buffer.alloc(5 * 1024 * 1024 + 77, 'compress me ');
for (let at = 0; at < plain.length; at += 8_192) randomFillSync(plain, at, Math.min(4_096, plain.length - at));
const path = join(directory, 'plain');
writeFileSync(path, plain);
const file = { path, bytes: plain.length, sha256: sha256(plain) };
const never = new AbortController().signal;

test.each<[Codec, boolean]>([
  ['gzip', false],
  ['zlib', false],
  ['zstd', false],
  ['none', true],
  ['zstd', true],
])('a file packed with %s (encrypted: %s) is the file again', async (codec, isEncrypted) => {
  const target = join(directory, `${codec}-${isEncrypted}`);
  const recipients = isEncrypted ? await sampleRecipients(0) : undefined;
  const packed = await packFile(file, { target, packing: { codec, recipients }, signal: never });
  const stored = readFileSync(target);
  expect(packed).toEqual({ path: target, bytes: stored.length, sha256: sha256(stored) });
  const hash = createHash('sha256');
  const decompress = decompressStream(codec, { plainBytesMax: plain.length });
  const sink = async (source: AsyncIterable<Buffer>): Promise<void> => {
    for await (const chunk of source) hash.update(chunk);
  };
  if (isEncrypted) {
    await pipeline(createReadStream(target), decryptStage('x', await sampleIdentities(0)), decompress, sink);
  } else {
    await pipeline(createReadStream(target), decompress, sink);
  }
  expect(hash.digest('hex')).toBe(file.sha256);
});

test('nothing to be done gives the file itself', async () => {
  const target = join(directory, 'unused');
  expect(await packFile(file, { target, packing: { codec: 'none' }, signal: never })).toEqual(file);
  expect(statSync(target, { throwIfNoEntry: false })).toBeUndefined();
});

test('a cancelled packing ends, and a file that is not there is named', async () => {
  const packing = { codec: 'gzip' } as const;
  const controller = new AbortController();
  const ended = packFile(file, { target: join(directory, 'cut'), packing, signal: controller.signal });
  setImmediate(() => controller.abort(new Error('enough')));
  await expect(ended).rejects.toThrow('aborted');
  const missing = { ...file, path: join(directory, 'missing') };
  const target = join(directory, 'of-nothing');
  await expect(packFile(missing, { target, packing, signal: never })).rejects.toThrow(missing.path);
});
