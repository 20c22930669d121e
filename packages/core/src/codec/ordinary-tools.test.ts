import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import type { Codec } from './codec.ts';
import { compressStream, decompressStream } from './codec-stream.ts';
import { LEVEL_MAX } from './compression-level.ts';

/** What people have on their machines, with the arguments that unpack and pack standard input. */
const TOOLS: readonly { codec: Codec; tool: string; unpack: string[]; pack: string[] }[] = [
  { codec: 'gzip', tool: 'gzip', unpack: ['-dc'], pack: ['-c'] },
  { codec: 'gzip', tool: 'pigz', unpack: ['-dc'], pack: ['-c'] },
  { codec: 'zlib', tool: 'pigz', unpack: ['-dc'], pack: ['-cz'] },
  { codec: 'zlib', tool: 'zlib-flate', unpack: ['-uncompress'], pack: ['-compress'] },
  { codec: 'zlib', tool: 'python3', unpack: python('decompress'), pack: python('compress') },
  { codec: 'zstd', tool: 'zstd', unpack: ['-dcq'], pack: ['-cq'] },
];

function python(call: string): string[] {
  return ['-c', `import sys, zlib; sys.stdout.buffer.write(zlib.${call}(sys.stdin.buffer.read()))`];
}

function isThere(tool: string): boolean {
  return spawnSync(tool, ['--version'], { stdio: 'ignore' }).error === undefined;
}

function run(tool: string, args: string[], input: Buffer): Buffer {
  const { status, stdout, stderr } = spawnSync(tool, args, { input, maxBuffer: 64 * 1024 * 1024 });
  expect(status, stderr.toString()).toBe(0);
  return stdout;
}

/** Compressible and not, longer than any window. */
const PLAIN = Buffer.concat([Buffer.alloc(3_000_000, 'key value '), randomBytes(2_000_000), Buffer.alloc(9)]);

for (const { codec, tool, unpack, pack } of TOOLS) {
  describe.skipIf(!isThere(tool))(
    `${codec} and the program ${tool}${isThere(tool) ? '' : ' (not on this machine)'}`,
    () => {
      test.each([1, 6, LEVEL_MAX[codec]])('it reads what is written at level %d', async (level) => {
        const stored = await buffer(Readable.from([PLAIN]).pipe(compressStream(codec, level)));
        expect(run(tool, unpack, stored).equals(PLAIN)).toBe(true);
      });

      test('what it writes is read', async () => {
        const stored = run(tool, pack, PLAIN);
        const plain = await buffer(
          Readable.from([stored]).pipe(decompressStream(codec, { plainBytesMax: PLAIN.length })),
        );
        expect(plain.equals(PLAIN)).toBe(true);
      });
    },
  );
}
