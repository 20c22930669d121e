import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeScratch } from './scratch-directory.ts';

const MARKER = 'etcd-ops-compact.json';
const MODULE = join(import.meta.dirname, 'scratch-directory.ts');
let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'etcd-ops-scratch-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** A process that has made a scratch directory and waits. */
async function other(): Promise<{ kill(): Promise<void> }> {
  const code = `import { makeScratch } from ${JSON.stringify(MODULE)}; await makeScratch(${JSON.stringify(root)}); console.log('made'); setInterval(() => {}, 1e6);`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return {
    async kill() {
      child.kill('SIGKILL');
      await once(child, 'close');
    },
  };
}

test('it is there for the scope, and nothing of it afterwards', async () => {
  {
    await using scratch = await makeScratch(join(root, 'deep', 'er'));
    writeFileSync(join(scratch.path, 'work'), 'x');
    expect(existsSync(scratch.path)).toBe(true);
  }
  expect(readdirSync(join(root, 'deep', 'er'))).toEqual([]);
});

test('that of a living process is left alone, that of a killed one is removed', async () => {
  const living = await other();
  try {
    {
      await using _scratch = await makeScratch(root);
      expect(readdirSync(root)).toHaveLength(2);
    }
    expect(readdirSync(root)).toHaveLength(1);
  } finally {
    await living.kill();
  }
  expect(readdirSync(root)).toHaveLength(1);
  await using scratch = await makeScratch(root);
  expect(readdirSync(root).map((name) => join(root, name))).toEqual([scratch.path]);
});

test('one of another host is left alone until it has been silent for long; files of others are never touched', async () => {
  const theirs = join(root, 'compact-00000000-0000-4000-8000-000000000000');
  mkdirSync(theirs);
  writeFileSync(join(theirs, MARKER), JSON.stringify({ pid: 1, start: '1', place: 'elsewhere' }));
  mkdirSync(join(root, 'compact-mine'));
  writeFileSync(join(root, 'precious'), 'data');
  {
    await using _scratch = await makeScratch(root);
    expect(existsSync(theirs)).toBe(true);
  }
  const before = new Date(Date.now() - 2 * 60 * 60_000);
  utimesSync(join(theirs, MARKER), before, before);
  {
    await using _scratch = await makeScratch(root);
    expect(existsSync(theirs)).toBe(false);
  }
  expect(readdirSync(root).toSorted()).toEqual(['compact-mine', 'precious']);
  expect(readFileSync(join(root, 'precious'), 'utf8')).toBe('data');
});
