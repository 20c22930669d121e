import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** One run of a whole process. */
export interface TimedRun {
  wallMs: number;
  /** User and system time. */
  cpuMs: number;
  rssMb: number;
  stdout: string;
}

const GNU_TIME = '/usr/bin/time';

/** Runs a command under GNU time. Throws with its output when it fails. */
export async function timedRun(
  command: readonly string[],
  env: NodeJS.ProcessEnv = {},
  cwd?: string,
): Promise<TimedRun> {
  const scratch = await mkdtemp(join(tmpdir(), 'etcd-ops-time-'));
  try {
    const facts = join(scratch, 'time');
    const begin = performance.now();
    const stdout = await run([GNU_TIME, '-q', '-o', facts, '-f', '%U %S %M', ...command], {
      env: { ...process.env, ...env },
      cwd,
    });
    const wallMs = performance.now() - begin;
    const [user = 0, system = 0, kilobytes = 0] = (await readFile(facts, 'utf8')).trim().split(' ').map(Number);
    return { wallMs, cpuMs: (user + system) * 1000, rssMb: kilobytes / 1024, stdout };
  } finally {
    await rm(scratch, { recursive: true });
  }
}

async function run(
  command: readonly string[],
  where: { env: NodeJS.ProcessEnv; cwd: string | undefined },
): Promise<string> {
  const [program, ...args] = command;
  const child = spawn(program!, args, { ...where, stdio: ['ignore', 'pipe', 'pipe'] });
  const output: Buffer[] = [];
  const errors: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code === 0) return Buffer.concat(output).toString();
  throw new Error(`${command.join(' ')} ended with ${code}: ${Buffer.concat(errors).toString()}`);
}

/** The middle one; of an even number the lower of the two. */
export function median(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[(values.length - 1) >>> 1] ?? NaN;
}
