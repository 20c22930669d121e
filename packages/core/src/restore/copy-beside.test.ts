import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { Random } from '../base/random.ts';
import { copyBeside } from './copy-beside.ts';
import { SLOT_BYTES, SLOTS } from './copy-slots.ts';

const directory = mkdtempSync(join(tmpdir(), 'etcd-ops-copy-beside-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
let files = 0;

/** A file of words that never come twice. */
function sourceOf(bytes: number): { path: string; content: Buffer } {
  const content = Buffer.alloc(bytes);
  const random = new Random(bytes + 1);
  for (let offset = 0; offset + 4 <= bytes; offset += 4) content.writeUInt32LE(random.integer(0, 0xffff_ffff), offset);
  const path = join(directory, `source-${++files}`);
  writeFileSync(path, content);
  return { path, content };
}

async function copy(
  bytes: number,
  options: {
    onChunk?: (count: number) => Promise<unknown>;
    targetFlags?: string;
    signal?: AbortSignal;
    ownBytesMax?: number;
  } = {},
): Promise<{ yielded: Buffer; written: Buffer; content: Buffer }> {
  const { path, content } = sourceOf(bytes);
  const targetPath = join(directory, `target-${files}`);
  writeFileSync(targetPath, '');
  const source = await open(path, 'r');
  const target = await open(targetPath, options.targetFlags ?? 'r+');
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of copyBeside(source, target, { ownBytesMax: 0, ...options })) {
      await options.onChunk?.(chunks.length);
      chunks.push(Buffer.from(chunk));
    }
  } finally {
    await source.close();
    await target.close();
  }
  return { yielded: Buffer.concat(chunks), written: readFileSync(targetPath), content };
}

const turn = SLOTS * SLOT_BYTES;

describe('a copy on a thread of its own', { timeout: 60_000 }, () => {
  const sizes = [0, 1, SLOT_BYTES - 1, SLOT_BYTES, SLOT_BYTES + 1, turn, turn + 1, 5 * turn + 12_345];
  // By the thread alone, the first two slots from here, and as it comes.
  const owns = [0, 2 * SLOT_BYTES, Infinity];
  test.each(sizes.flatMap((bytes) => owns.map((ownBytesMax) => ({ bytes, ownBytesMax }))))(
    'of $bytes bytes, $ownBytesMax of them from here, yields what it writes',
    async ({ bytes, ownBytesMax }) => {
      const { yielded, written, content } = await copy(bytes, { ownBytesMax });
      expect(yielded.equals(content)).toBe(true);
      expect(written.equals(content)).toBe(true);
    },
  );

  test('leaves a chunk alone until the next one is asked for, however long that takes', async () => {
    const onChunk = async (count: number): Promise<void> => {
      if (count !== 0) return;
      // All slots are full, and the thread has had time to fill the first one again.
      const path = join(directory, `target-${files}`);
      while (statSync(path).size < turn) await nextTurn();
      for (let looks = 0; looks < 200; looks++) await stat(path);
    };
    const { yielded, content } = await copy(3 * turn, { onChunk });
    expect(yielded.equals(content)).toBe(true);
  });

  test.each(owns)('of which %s from here: tells of a write that failed', async (ownBytesMax) => {
    const failing = copy(turn, { targetFlags: 'r', ownBytesMax });
    await expect(failing).rejects.toMatchObject({ syscall: 'write', code: 'EBADF' });
  });

  test.each(owns)('of which %s from here: ends when nobody wants the rest', async (ownBytesMax) => {
    const failure = new Error('enough');
    const given = copy(3 * turn, { ownBytesMax, onChunk: () => Promise.reject(failure) });
    await expect(given).rejects.toBe(failure);
  });

  test('is cancelled', async () => {
    const stop = new AbortController();
    const onChunk = async (count: number): Promise<void> => {
      if (count === 3) stop.abort();
    };
    const copying = copy(20 * turn, { signal: stop.signal, onChunk });
    await expect(copying).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});
