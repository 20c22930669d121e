import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  accessSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it, type TestContext } from 'vitest';

const root = join(import.meta.dirname, '..', '..');
const leftOut = new Set(['.git', '.tools', '.turbo', 'node_modules', 'dist', 'coverage']);

/** A folder whose name has a space, as homes of people do. */
const parent = mkdtempSync(join(tmpdir(), 'etcd-ops first run '));
const checkout = join(parent, 'checkout');
const elsewhere = join(parent, 'elsewhere');
const noNetwork = join(parent, 'no network');

const MAIN = join(checkout, 'packages/cli/src/main.ts');
const PROGRAM = `const words: readonly string[] = process.argv.slice(2);
console.log(JSON.stringify({ words, cwd: process.cwd(), node: process.version, tools: process.env['ETCD_OPS_TOOLS_DIR'] }));`;

/** PATH without this checkout's tools and libraries: what a machine has on which nothing was ever run. */
const barePath = (process.env['PATH'] ?? '')
  .split(delimiter)
  .filter((directory) => !directory.startsWith(root))
  .join(delimiter);

beforeAll(() => {
  cpSync(root, checkout, {
    recursive: true,
    filter: (path) =>
      !path
        .slice(root.length)
        .split('/')
        .some((name) => leftOut.has(name)),
  });
  // The command line is not what is tested here, and it may be under repair: a program that tells how it was called.
  mkdirSync(join(checkout, 'packages/cli/src'), { recursive: true });
  writeFileSync(MAIN, PROGRAM);
  mkdirSync(elsewhere);
  symlinkSync(join(checkout, 'bin', 'etcd-ops'), join(elsewhere, 'linked'));
  mkdirSync(noNetwork);
  for (const program of ['npm', 'apt-get']) {
    writeFileSync(join(noNetwork, program), '#!/bin/sh\necho "npm error network getaddrinfo ENOTFOUND" >&2\nexit 1\n', {
      mode: 0o755,
    });
  }
});

afterAll(() => {
  rmSync(parent, { recursive: true, force: true });
});

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Call {
  readonly program?: string;
  readonly words?: readonly string[];
  readonly path?: string;
  /** SIGKILL for the whole process group once this returns true. */
  readonly killWhen?: () => boolean;
}

async function call({
  program = join(checkout, 'bin', 'etcd-ops'),
  words = ['hello'],
  path = barePath,
  killWhen,
}: Call = {}): Promise<Outcome> {
  const { ETCD_OPS_TOOLS_DIR: _tools, NODE_COMPILE_CACHE: _cache, ...environment } = process.env;
  const child = spawn(program, words, {
    cwd: elsewhere,
    env: { ...environment, PATH: path },
    stdio: ['ignore', 'pipe', 'pipe'],
    // Only who is to be killed as a group leads one: the others end with the test when that is interrupted.
    detached: killWhen !== undefined,
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const closed = once(child, 'close');
  if (killWhen !== undefined) {
    while (child.exitCode === null && !killWhen()) await sleep(5);
    if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  }
  await closed;
  return { code: child.exitCode, stdout, stderr };
}

const quiet = (words: readonly string[]): Outcome => ({
  code: 0,
  stdout: `${JSON.stringify({ words, cwd: elsewhere, node: 'v24.21.0', tools: join(checkout, '.tools') })}\n`,
  stderr: '',
});

const toolsNow = (): string[] => {
  try {
    return readdirSync(join(checkout, '.tools'));
  } catch {
    return [];
  }
};

/** Server packages that a running or killed call has downloaded and not yet put into place. */
const downloadedPackages = (): string[] =>
  toolsNow()
    .map((name) => join(checkout, '.tools', name, 'debs'))
    .filter((directory) => directory.includes('deb.part.') && existsSync(directory))
    .flatMap((directory) => readdirSync(directory));

const onBarePath = (program: string): boolean =>
  barePath.split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });

/** Set by the first test that fetches; the later ones go on in the checkout that it made. */
let bootstrapped = false;

function needBootstrapped(context: TestContext): void {
  context.skip(!bootstrapped, 'the first run did not come to its end, see above');
}

it('says in one sentence what is missing when nothing can be fetched', async () => {
  const outcome = await call({ path: `${noNetwork}${delimiter}${barePath}` });
  expect(outcome).toEqual({
    code: 69,
    stdout: '',
    stderr: [
      'etcd-ops: fetching Node 24.21.0 and pnpm 12.21.0 (one time) ...',
      'etcd-ops: Node 24.21.0 and pnpm 12.21.0 are missing and could not be fetched: the package server cannot be reached; ' +
        'connect this machine, or point npm and apt at a mirror or proxy, and run this again',
      '',
    ].join('\n'),
  });
});

it('ends with the totals even when the tests cannot start', async () => {
  const outcome = await call({
    program: join(checkout, 'bin', 'test'),
    words: [],
    path: `${noNetwork}${delimiter}${barePath}`,
  });
  expect(outcome).toMatchObject({ code: 69, stdout: '0 passed, 0 failed, 0 skipped\n' });
});

it('recovers from SIGKILL in each step, and lets two first runs share the work', async (context) => {
  const inNode = await call({ killWhen: () => toolsNow().some((name) => name.startsWith('js.part.')) });
  expect(inNode).toMatchObject({ code: null, stdout: '' });

  const inLibraries = await call({ killWhen: () => existsSync(join(checkout, 'node_modules', '.pnpm')) });
  context.skip(
    inLibraries.code === 69 && /cannot be reached/.test(inLibraries.stderr),
    `no network to fetch from: ${inLibraries.stderr.trim().split('\n').at(-1) ?? ''}`,
  );
  expect(inLibraries).toMatchObject({ code: null, stdout: '' });

  const both = await Promise.all([call({ words: ['one'] }), call({ words: ['two', 'with space'] })]);
  expect(both).toMatchObject(
    [quiet(['one']), quiet(['two', 'with space'])].map(({ code, stdout }) => ({ code, stdout })),
  );
  const fetched = both.flatMap(({ stderr }) => stderr.match(/fetching .*one time.*/g) ?? []);
  expect(fetched).toEqual(['fetching libraries with pnpm (one time) ...']);
  expect(toolsNow().filter((name) => name.includes('.part.'))).toEqual([]);
  bootstrapped = true;
});

it('is quiet and needs no network the second time, also through a symlink', async (context) => {
  needBootstrapped(context);
  const path = `${noNetwork}${delimiter}${barePath}`;
  expect(await call({ words: ['a', '', '--b=c d'], path })).toEqual(quiet(['a', '', '--b=c d']));
  expect(await call({ program: join(elsewhere, 'linked'), path })).toEqual(quiet(['hello']));
});

it('runs what the sources say now, also when one that has changed brings an old date along', async (context) => {
  needBootstrapped(context);
  const bundles = (): string[] => readdirSync(join(checkout, '.tools/program'));
  expect(bundles()).toHaveLength(2);
  writeFileSync(MAIN, "const word: string = 'changed'; console.log(word);");
  utimesSync(MAIN, 0, 0);
  expect(await call()).toEqual({ code: 0, stdout: 'changed\n', stderr: '' });
  expect(bundles()).toHaveLength(3);

  writeFileSync(MAIN, "import { nothing } from './nothing.ts'; console.log(nothing);");
  const broken = await call();
  expect(broken.stderr).toMatch(/^etcd-ops: runs from its sources, which could not be bundled; see \S.*fetch.log\n/);
  expect(broken).toMatchObject({ code: 1, stdout: '' });

  writeFileSync(MAIN, PROGRAM);
  expect(await call()).toEqual(quiet(['hello']));
  expect(bundles()).toHaveLength(3);
});

it('fetches libraries again when a manifest has changed', async (context) => {
  needBootstrapped(context);
  writeFileSync(join(checkout, 'pnpm-workspace.yaml'), '\n', { flag: 'a' });
  const outcome = await call();
  expect(outcome).toMatchObject({ code: 0, stderr: 'etcd-ops: fetching libraries with pnpm (one time) ...\n' });
  expect(await call()).toEqual(quiet(['hello']));
});

it('fetches servers for the commands that start them, and for no others', async (context) => {
  needBootstrapped(context);
  context.skip(onBarePath('etcd') && onBarePath('nats-server'), 'etcd and nats-server are installed: nothing to fetch');
  context.skip(!onBarePath('apt-get'), 'no apt-get to fetch them with');
  expect(await call({ words: ['demo', '--help'] })).toEqual(quiet(['demo', '--help']));

  const offline = await call({ words: ['demo'], path: `${noNetwork}${delimiter}${barePath}` });
  expect(offline).toMatchObject({ code: 69, stdout: '' });
  expect(offline.stderr).toMatch(
    /\netcd-ops: etcd and nats-server are not on PATH and could not be fetched: [^\n]+\n$/,
  );

  const killed = await call({ words: ['demo'], killWhen: () => downloadedPackages().length > 0 });
  expect(killed).toMatchObject({ code: null, stdout: '' });

  const first = await call({ words: ['demo'] });
  context.skip(first.code === 69, `Debian's mirror cannot be used: ${first.stderr.trim().split('\n').at(-1) ?? ''}`);
  expect(first).toMatchObject({ code: 0, stderr: 'etcd-ops: fetching etcd and nats-server (one time) ...\n' });
  expect(await call({ words: ['demo'], path: `${noNetwork}${delimiter}${barePath}` })).toEqual(quiet(['demo']));
});
