import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { toolsDirectory } from '@etcd-ops/test-kit';
import { expect } from 'vitest';

const MAIN = join(import.meta.dirname, '..', '..', '..', 'packages', 'cli', 'src', 'main.ts');
const RUN_TIMEOUT_MS = 60_000;

export interface CliResult {
  exitCode: number | null;
  stdout: string;
  stderr: string;
}

export interface CliOptions {
  /** Variables beside PATH and HOME; nothing of this process's own reaches the command. */
  env?: Record<string, string>;
  /** Runs as this user, which only root can ask for. */
  uid?: number;
  cwd?: string;
  /** A program that becomes the command in the end: `unshare ...`. */
  through?: readonly string[];
  /** Both outputs are closed at once, as by a terminal that is gone. */
  closeOutputs?: boolean;
  onStarted?: (pid: number) => void;
}

/** The command without its shell wrapper, so that environment and user are the test's choice. It never outlives the call. */
export async function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const tools = toolsDirectory();
  const [program, ...before] = [...(options.through ?? []), process.execPath, MAIN];
  const child = spawn(program, [...before, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: options.cwd,
    uid: options.uid,
    timeout: RUN_TIMEOUT_MS,
    killSignal: 'SIGKILL',
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: '/nonexistent',
      ETCD_OPS_TOOLS_DIR: tools,
      NODE_COMPILE_CACHE: join(tools, 'compile-cache'),
      ...options.env,
    },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  if (options.closeOutputs === true) {
    child.stdout.destroy();
    child.stderr.destroy();
  }
  if (child.pid !== undefined) options.onStarted?.(child.pid);
  const [exitCode] = (await once(child, 'close')) as [number | null];
  return { exitCode, stdout, stderr };
}

export interface ExpectedFailure {
  code: string;
  exitCode: number;
  /** Of the message: what happened to which thing. */
  says?: RegExp;
  /** Of the remedy. */
  remedy?: RegExp;
}

/** One sentence of what, one of why, one of what to do, the code; nothing on standard output but data. */
export function expectFailure({ exitCode, stderr }: CliResult, expected: ExpectedFailure): void {
  const told =
    /(?:^|\n)etcd-ops: (?<what>[^\n]+)\n {2}why: (?<why>[^\n]+)\n {2}do: {2}(?<remedy>[^\n]+)\n {2}\((?<code>\w+), exit code (?<exit>\d+)\)\n$/.exec(
      stderr,
    )?.groups;
  expect(told, stderr).toBeDefined();
  expect({ code: told?.['code'], exitCode }, stderr).toEqual({ code: expected.code, exitCode: expected.exitCode });
  expect(told?.['exit']).toBe(String(expected.exitCode));
  expect(told?.['remedy']).toMatch(/^[A-Z`].*\.$/);
  if (expected.says !== undefined) expect(told?.['what']).toMatch(expected.says);
  if (expected.remedy !== undefined) expect(told?.['remedy']).toMatch(expected.remedy);
  // A stack or a raw error object is for programmers.
  expect(stderr).not.toMatch(/\n\s+at .*:\d+:\d+|\[object |undefined/);
}

export const CHINESE: Record<string, string> = { LANG: 'zh_CN.UTF-8' };

/** The same failure in the language of the user: three sentences without English, the message as it was thrown, the same code. */
export function expectChineseFailure({ exitCode, stderr }: CliResult, expected: ExpectedFailure): void {
  const told =
    /(?:^|\n)etcd-ops: (?<what>[^\n]+)\n {2}原因: (?<why>[^\n]+)\n {2}处理: (?<remedy>[^\n]+)\n(?: {2}详情: (?<detail>[^\n]+)\n)? {2}\((?<code>\w+)，退出码 (?<exit>\d+)\)\n$/u.exec(
      stderr,
    )?.groups;
  expect(told, stderr).toBeDefined();
  expect({ code: told?.['code'], exitCode }, stderr).toEqual({ code: expected.code, exitCode: expected.exitCode });
  for (const sentence of [told?.['what'], told?.['why'], told?.['remedy']]) {
    expect(sentence).toMatch(/\p{Script=Han}/u);
    // Names and commands stay what they are; three words in a row are an English sentence.
    expect(sentence?.replaceAll(/`[^`]*`/g, '')).not.toMatch(/\b[a-z]+ [a-z]+ [a-z]+\b/);
  }
  if (expected.says !== undefined && told?.['detail'] !== undefined) expect(told['detail']).toMatch(expected.says);
  expect(stderr).not.toMatch(/undefined|\[object /);
}
