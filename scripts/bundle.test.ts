import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bundleProgram } from './bundle.ts';

const directory = mkdtempSync(join(tmpdir(), 'etcd-ops-bundle-'));
let home: string;
let texts: string[];

beforeAll(async () => {
  home = join(directory, await bundleProgram(directory));
  const lib = join(home, 'lib');
  texts = readdirSync(lib).map((name) => readFileSync(join(lib, name), 'utf8'));
});
afterAll(() => rmSync(directory, { recursive: true }));

function run(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [join(home, 'lib', 'main.js'), ...args], { encoding: 'utf8', cwd: directory });
}

test('the bundled program knows its version, and does what the sources do', () => {
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../packages/cli/package.json'), 'utf8')) as {
    version: string;
  };
  expect(run('version')).toEqual(expect.objectContaining({ status: 0, stdout: `etcd-ops ${version}\n`, stderr: '' }));
  const list = run('list', '--bucket', directory, '--cluster-name', 'none', '-o', 'json');
  expect(list.stderr).toContain('none');
  expect(list.stderr).not.toContain('MODULE_NOT_FOUND');
});

test('its text takes one byte a character, for each process holds it', () => {
  expect(texts.join('')).not.toMatch(/[^\0-\x7f]/);
});

test('threads lie where the program starts them', () => {
  const threads = texts.flatMap((text) => [...text.matchAll(/`\.\/([\w-]+)\$\{extname\(import\.meta\.url\)\}`/g)]);
  expect(new Set(threads.map(([, name]) => name))).toEqual(new Set(['copy-thread', 'sha256-worker']));
  for (const [, name] of threads) expect(existsSync(join(home, 'lib', `${name}.js`))).toBe(true);
  // One that names its file otherwise would not be found.
  expect(texts.flatMap((text) => [...text.matchAll(/new Worker\(([^,)]+)/g)].map(([, what]) => what))).toEqual(
    expect.not.arrayContaining([expect.stringContaining('.ts')]),
  );
});

test.each(['ali-oss', 'etcd3'])('%s is found from there', (library) => {
  const path = createRequire(join(home, 'lib', 'main.js')).resolve(library);
  expect(existsSync(path)).toBe(true);
});

test('the same sources give the same name, and files that are there stay as they are', async () => {
  const main = join(home, 'lib', 'main.js');
  const before = statSync(main);
  expect(join(directory, await bundleProgram(directory))).toBe(home);
  expect(statSync(main)).toMatchObject({ ino: before.ino, mtimeMs: before.mtimeMs });
});

test('a handful of older ones stays for processes that still run from them', async () => {
  for (let age = 1; age <= 6; age++) {
    const older = join(directory, `older-${age}`);
    mkdirSync(older);
    utimesSync(older, 1_000_000 - age, 1_000_000 - age);
  }
  await bundleProgram(directory);
  const left = readdirSync(directory).filter((name) => name.startsWith('older-'));
  expect(left.toSorted()).toEqual(['older-1', 'older-2', 'older-3', 'older-4']);
});
