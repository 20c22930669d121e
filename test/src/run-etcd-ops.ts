import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..');

export interface CommandResult {
  exitCode: number | null;
  stdout: string;
  stderr: string;
}

export interface RunningCommand extends AsyncDisposable {
  readonly child: ChildProcess;
  /** What it has written to standard error so far. */
  errors(): string;
  readonly result: Promise<CommandResult>;
}

/** Starts `bin/etcd-ops` as a user does: as a process of its own. It is killed when its scope ends. */
export function startEtcdOps(...args: string[]): RunningCommand {
  const child = spawn(join(ROOT, 'bin', 'etcd-ops'), args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const result = once(child, 'close').then(([exitCode]) => ({ exitCode: exitCode as number | null, stdout, stderr }));
  return {
    child,
    errors: () => stderr,
    result,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await result;
    },
  };
}

export async function runEtcdOps(...args: string[]): Promise<CommandResult> {
  await using command = startEtcdOps(...args);
  return await command.result;
}
