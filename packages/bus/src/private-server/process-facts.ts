import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * When a process began, in a form that only the same process ever has again: pids come back, (pid, start) does not.
 * Undefined when there is no such process.
 */
export async function processStart(pid: number): Promise<string | undefined> {
  const stat = await readOrUndefined(`/proc/${pid}/stat`);
  if (stat === undefined) return psField(pid, 'lstart=');
  // The name in parentheses may hold blanks and parentheses: fields are counted behind the last one.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // A zombie has ended; only its parent has not looked yet.
  if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
  const boot = (await readOrUndefined('/proc/sys/kernel/random/boot_id'))?.trim() ?? '';
  return `${boot}/${fields[19]}`;
}

/** The arguments a process was started with, joined by blanks; undefined when there is no such process. */
export async function processCommand(pid: number): Promise<string | undefined> {
  const command = await readOrUndefined(`/proc/${pid}/cmdline`);
  if (command === undefined) return psField(pid, 'args=');
  return command === '' ? undefined : command.replaceAll('\0', ' ').trim();
}

async function readOrUndefined(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** For systems without /proc. */
async function psField(pid: number, field: string): Promise<string | undefined> {
  if (process.platform === 'linux') return undefined;
  try {
    const { stdout } = await run('ps', ['-o', field, '-p', String(pid)]);
    return stdout.trim() === '' ? undefined : stdout.trim();
  } catch {
    return undefined;
  }
}
