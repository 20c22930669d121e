/**
 * Encryption and decryption in age's format: the bare cipher, our stages in memory, our stages from file to file, and the `age` tool from file to file
 * where it is at hand (.tools/deb). All of a round take turns, each in a process of its own.
 *
 *     node bench/src/age-bench.ts [--megabytes 1000] [--rounds 3] [--scratch /dev/shm]
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { findBinary } from '@etcd-ops/local-servers';
import { median, timedRun } from './timed-run.ts';

interface Run {
  wallMs: number;
  cpuMs: number;
}

/** A key that protects nothing: made for the tests. */
const RECIPIENT = 'age1dkz87g2keu3rt4lnx2aga9yjsh7dj7vzqyzczvu074a790d49d5se3pvla';
const IDENTITY = 'AGE-SECRET-KEY-1SW7C7HYVELFGJEAFVT4MY24KY9A3XW8H335CACSF4W5WK3K6502QZ0KWRN';
const MEBIBYTE = 1024 * 1024;

const { values } = parseArgs({
  options: {
    megabytes: { type: 'string', default: '1000' },
    rounds: { type: 'string', default: '3' },
    scratch: { type: 'string', default: tmpdir() },
  },
});
const bytes = Math.ceil((Number(values.megabytes) * 1e6) / MEBIBYTE) * MEBIBYTE;
const root = join(import.meta.dirname, '..', '..');
process.env['ETCD_OPS_TOOLS_DIR'] ??= join(root, '.tools');
const age = findBinary('age');
const scratch = await mkdtemp(join(values.scratch, 'etcd-ops-age-bench-'));
const at = (name: string): string => join(scratch, name);
try {
  await writeFile(at('key'), `${IDENTITY}\n`, { mode: 0o600 });
  await pipeline(plainBytes(), createWriteStream(at('plain')));
  const contestants: [string, () => Promise<Run>][] = [
    ['encrypt, the bare cipher', async () => await ours('cipher', 'encrypt')],
    ['encrypt, in memory', async () => await ours('memory', 'encrypt')],
    ['encrypt, file to file', async () => await ours('file', 'encrypt')],
    ['decrypt, the bare cipher', async () => await ours('cipher', 'decrypt')],
    ['decrypt, in memory', async () => await ours('memory', 'decrypt')],
    ['decrypt, file to file', async () => await ours('file', 'decrypt')],
  ];
  if (age !== undefined) {
    contestants.splice(3, 0, ['encrypt, the age tool', async () => await tool(['-r', RECIPIENT], 'plain', 'tool.age')]);
    contestants.push(['decrypt, the age tool', async () => await tool(['-d', '-i', at('key')], 'ours.age', 'plain2')]);
  }
  const runs = contestants.map((): Run[] => []);
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const [index, [, run]] of contestants.entries()) runs[index]!.push(await run());
  }
  console.log(`${(bytes / 1e6).toFixed(0)} MB, load ${loadavg()[0]?.toFixed(1)}`);
  for (const [index, [name]] of contestants.entries()) {
    const rate = (of: keyof Run): string =>
      (bytes / 1e3 / median(runs[index]!.map((run) => run[of]))).toFixed(0).padStart(5);
    console.log(`${name.padEnd(26)} ${rate('wallMs')} MB/s, ${rate('cpuMs')} MB per CPU second`);
  }
} finally {
  await rm(scratch, { recursive: true, force: true });
}

function* plainBytes(): Generator<Buffer> {
  const block = randomBytes(MEBIBYTE);
  for (let done = 0; done < bytes; done += MEBIBYTE) yield block;
}

async function ours(way: string, direction: 'encrypt' | 'decrypt'): Promise<Run> {
  const [source, target, key] =
    direction === 'encrypt' ? [at('plain'), at('ours.age'), RECIPIENT] : [at('ours.age'), at('plain2'), at('key')];
  const path = join(import.meta.dirname, 'age', 'worker.ts');
  const child = spawn(process.execPath, [path, way, direction, String(bytes), source, target, key], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return JSON.parse(await text(child.stdout)) as Run;
}

async function tool(flags: string[], source: string, target: string): Promise<Run> {
  return await timedRun([age!, ...flags, '-o', at(target), at(source)]);
}
