/** One way to encrypt or decrypt, in a process of its own: prints what it took. `memory` has no files, `cipher` not even the format. */
import { createCipheriv, createDecipheriv, createSecretKey, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { checkRecipients, decryptStage, encryptStage, Identities, type ByteStage } from '@etcd-ops/core';

const PORTION_BYTES = 1024 * 1024;
const CHUNK_BYTES = 64 * 1024;

const [way = '', direction = '', bytesText = '', source = '', target = '', key = ''] = process.argv.slice(2);
const bytes = Number(bytesText);
const encrypts = direction === 'encrypt';
const stage: ByteStage = encrypts
  ? encryptStage(await checkRecipients([key]))
  : decryptStage('bench', await Identities.fromFiles([key]));
const run = { cipher, memory, file }[way]!;
const before = await run();
const { user, system } = process.cpuUsage(before.cpu);
process.stdout.write(
  `${JSON.stringify({ wallMs: performance.now() - before.begin, cpuMs: (user + system) / 1000 })}\n`,
);

function start(): { begin: number; cpu: NodeJS.CpuUsage } {
  return { begin: performance.now(), cpu: process.cpuUsage() };
}

async function cipher(): Promise<ReturnType<typeof start>> {
  const [secret, nonce, plain] = [createSecretKey(randomBytes(32)), Buffer.alloc(12), randomBytes(CHUNK_BYTES)];
  const options = { authTagLength: 16 };
  const make = encrypts ? createCipheriv : createDecipheriv;
  const started = start();
  for (let at = 0; at < bytes; at += CHUNK_BYTES) make('chacha20-poly1305', secret, nonce, options).update(plain);
  return started;
}

async function memory(): Promise<ReturnType<typeof start>> {
  const pieces: Buffer[] = [];
  const sealed = encrypts ? undefined : createReadStream(source, { highWaterMark: PORTION_BYTES });
  for await (const piece of sealed ?? []) pieces.push(piece as Buffer);
  const portion = randomBytes(PORTION_BYTES);
  async function* feed(): AsyncGenerator<Buffer> {
    if (sealed !== undefined) yield* pieces;
    else for (let at = 0; at < bytes; at += PORTION_BYTES) yield portion;
  }
  const started = start();
  let made = 0;
  for await (const piece of stage(feed())) made += piece.length;
  if (made < bytes) throw new Error(`${made} bytes came of ${bytes}`);
  return started;
}

async function file(): Promise<ReturnType<typeof start>> {
  const started = start();
  const from = createReadStream(source, { highWaterMark: PORTION_BYTES });
  await pipeline(from, stage, createWriteStream(target, { highWaterMark: PORTION_BYTES }));
  return started;
}
