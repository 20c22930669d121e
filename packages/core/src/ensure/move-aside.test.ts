import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findLockHolder } from './file-locks.ts';
import { inspectDataDir } from './inspect-data-dir.ts';
import { moveAside } from './move-aside.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'etcd-ops-aside-'));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

test('a directory is renamed, twice in one second too, and comes back', async () => {
  const path = join(directory, 'data');
  const options = { what: 'member', stamp: '20261120T060000Z' } as const;
  mkdirSync(path);
  writeFileSync(join(path, 'first'), '');
  const first = await moveAside(path, options);
  expect(first.to).toBe(`${path}.broken-20261120T060000Z`);
  mkdirSync(path);
  const second = await moveAside(path, options);
  expect(second.to).toBe(`${path}.broken-20261120T060000Z-1`);
  await first.undo();
  expect(readdirSync(path)).toEqual(['first']);
});

test('shapes are told apart without opening a file', async () => {
  const state = async (path: string): Promise<string> => (await inspectDataDir({ dataDir: path })).kind;
  expect(await state(join(directory, 'nothing'))).toBe('missing');
  expect(await state(directory)).toBe('missing');
  for (const name of ['lost+found', 'member.broken-20261120T060000Z']) mkdirSync(join(directory, name));
  expect(await state(directory)).toBe('missing');
  mkdirSync(join(directory, 'member'));
  expect(await state(directory)).toBe('missing');
  mkdirSync(join(directory, 'member', 'snap'));
  expect(await state(directory)).toBe('broken');
  writeFileSync(join(directory, 'member', 'passwords.txt'), '');
  expect(await state(directory)).toBe('foreign');
  writeFileSync(join(directory, 'file'), '');
  expect(await state(join(directory, 'file'))).toBe('foreign');
});

test('nobody holds a lock on a file of ours', async () => {
  const path = join(directory, 'db');
  writeFileSync(path, '');
  expect(await findLockHolder([path, join(directory, 'not-there')])).toBeUndefined();
});
