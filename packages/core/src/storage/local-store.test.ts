import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { collect } from './collect.ts';
import { storeError } from './local-errors.ts';
import { TEMPORARY_PREFIX } from './local-paths.ts';
import { LocalStore } from './local-store.ts';
import { describeObjectStore } from './object-store-conformance.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'local-store-'));
});
afterAll(async () => await rm(folder, { recursive: true, force: true }));

describeObjectStore('LocalStore', async () => new LocalStore(join(folder, 'conformance/deep/below')));

test('a relative bucket is meant from the working directory', async () => {
  const store = new LocalStore(relative(process.cwd(), join(folder, 'relative')));
  await store.put('a/b', Buffer.from('x'));
  expect(store.root).toBe(join(folder, 'relative'));
  expect(store.description).toBe(`Local ${join(folder, 'relative')}`);
  expect((await readFile(join(folder, 'relative/a/b'))).toString()).toBe('x');
});

test('a bucket that does not exist yet is empty; reading makes nothing', async () => {
  const store = new LocalStore(join(folder, 'absent'));
  expect(await collect(store.list(''))).toEqual([]);
  expect(await store.stat('a/b')).toBeUndefined();
  await store.delete(['a/b']);
  await expect(stat(join(folder, 'absent'))).rejects.toThrow('ENOENT');
});

test('files and folders are for the owner only, also moved ones', async () => {
  const store = new LocalStore(join(folder, 'modes'));
  await writeFile(join(folder, 'spool'), 'x', { mode: 0o666 });
  await store.putFile('c/d/moved', join(folder, 'spool'), { move: true });
  await store.put('c/d/put', Buffer.from('x'));
  await writeFile(join(folder, 'spool'), 'x', { mode: 0o666 });
  await store.putFile('c/d/copied', join(folder, 'spool'));
  for (const name of ['moved', 'put', 'copied']) {
    expect((await stat(join(folder, 'modes/c/d', name))).mode & 0o777).toBe(0o600);
  }
  expect((await stat(join(folder, 'modes/c'))).mode & 0o777).toBe(0o700);
});

test('move takes the file where it is on one device, and a file that is no ordinary one is refused', async () => {
  const store = new LocalStore(join(folder, 'move'));
  const spool = join(folder, 'move-spool');
  await writeFile(spool, 'data');
  const { ino } = await stat(spool);
  await store.putFile('a', spool, { move: true });
  await expect(stat(spool)).rejects.toThrow('ENOENT');
  expect((await stat(join(folder, 'move/a'))).ino).toBe(ino);
  await symlink('/etc/hostname', join(folder, 'spool-link'));
  await expect(store.putFile('b', join(folder, 'spool-link'), { move: true })).rejects.toMatchObject({
    code: 'STORE_FAILED',
  });
});

test('move to another device copies and then takes the file', async () => {
  const other = await mkdtemp('/dev/shm/local-store-').catch(() => undefined);
  if (other === undefined || (await stat(other)).dev === (await stat(folder)).dev) return;
  try {
    await writeFile(join(other, 'spool'), 'far away');
    const store = new LocalStore(join(folder, 'devices'));
    await store.putFile('a/b', join(other, 'spool'), { move: true });
    expect((await store.get('a/b')).toString()).toBe('far away');
    await expect(stat(join(other, 'spool'))).rejects.toThrow('ENOENT');
  } finally {
    await rm(other, { recursive: true });
  }
});

test('symbolic links in a bucket are not followed, whatever they lead to', async () => {
  const root = join(folder, 'links');
  const outside = join(folder, 'outside');
  await mkdir(outside, { recursive: true });
  await writeFile(join(outside, 'secret'), 'secret');
  const store = new LocalStore(root);
  await store.put('real/file', Buffer.from('x'));
  await symlink(outside, join(root, 'escape'));
  await symlink(join(root, 'real'), join(root, 'inside'));
  await symlink(join(outside, 'secret'), join(root, 'real/link'));
  for (const key of ['escape/secret', 'inside/file', 'real/link']) {
    await expect(store.get(key)).rejects.toMatchObject({
      code: 'STORE_FAILED',
      message: expect.stringContaining('symbolic link'),
    });
  }
  for (const key of ['escape/new', 'escape/deep/new']) {
    await expect(store.put(key, Buffer.from('x'))).rejects.toMatchObject({ code: 'STORE_FAILED' });
  }
  expect(() => store.localPath('escape/secret')).toThrow(/symbolic link/);
  await expect(store.delete(['escape/secret'])).rejects.toMatchObject({ code: 'STORE_FAILED' });
  await expect(collect(store.list('escape/'))).rejects.toMatchObject({ code: 'STORE_FAILED' });
  expect(await store.stat('real/link')).toBeUndefined();
  expect(store.localPath('real/link')).toBeUndefined();
  expect(store.localPath('real/none')).toBeUndefined();
  expect(store.localPath('real/file')).toBe(join(root, 'real/file'));
  expect((await collect(store.list(''))).map(({ key }) => key)).toEqual(['real/file']);
  expect(await readdir(outside)).toEqual(['secret']);
  await store.put('real/link', Buffer.from('mine'));
  expect((await readFile(join(outside, 'secret'))).toString()).toBe('secret');
  expect((await lstat(join(root, 'real/link'))).isSymbolicLink()).toBe(false);
});

test('a bucket that is a link itself is fine', async () => {
  await mkdir(join(folder, 'target'));
  await symlink(join(folder, 'target'), join(folder, 'bucket-link'));
  const store = new LocalStore(join(folder, 'bucket-link'));
  await store.put('a/b', Buffer.from('x'));
  expect((await collect(store.list(''))).map(({ key }) => key)).toEqual(['a/b']);
});

test('names that are no keys are not listed; old temporary files are swept, young ones stay', async () => {
  const root = join(folder, 'sweep');
  const store = new LocalStore(root);
  await store.put('a/b/object', Buffer.from('x'));
  await writeFile(join(root, 'a/b', `${TEMPORARY_PREFIX}1-old`), 'half');
  await writeFile(join(root, 'a', `${TEMPORARY_PREFIX}2-young`), 'half');
  await writeFile(join(root, 'a/b/not a key.txt'), 'notes');
  await utimes(join(root, 'a/b', `${TEMPORARY_PREFIX}1-old`), 1000, 1000);
  expect((await collect(store.list(''))).map(({ key }) => key)).toEqual(['a/b/object']);
  expect(await store.sweepAbandoned('', { olderThanMs: 3_600_000, nowMs: Date.now() })).toBe(1);
  expect((await readdir(join(root, 'a'))).sort()).toEqual([`${TEMPORARY_PREFIX}2-young`, 'b']);
  expect((await readdir(join(root, 'a/b'))).sort()).toEqual(['not a key.txt', 'object']);
});

test('a failed put leaves no temporary file', async () => {
  const root = join(folder, 'failed');
  const store = new LocalStore(root);
  await store.put('a/taken/file', Buffer.from('x'));
  await expect(store.put('a/taken', Buffer.from('x'))).rejects.toMatchObject({ code: 'STORE_FAILED' });
  await expect(store.put('a/taken/file/below', Buffer.from('x'))).rejects.toMatchObject({ code: 'STORE_FAILED' });
  const abort = new AbortController();
  const writing = store.put('a/aborted', Buffer.alloc(50_000_000), { signal: abort.signal });
  abort.abort();
  await expect(writing).rejects.toMatchObject({ code: 'CANCELLED' });
  expect(await readdir(join(root, 'a'))).toEqual(['taken']);
});

test('what the file system refuses is said with a remedy', async () => {
  const failure = (code: string): object => storeError('Writing', 'a/b', Object.assign(new Error(code), { code }));
  expect(failure('ENOSPC')).toMatchObject({
    code: 'STORE_FAILED',
    message: 'Writing a/b failed (ENOSPC)',
    remedy: expect.stringContaining('full'),
  });
  expect(failure('EACCES')).toMatchObject({ code: 'STORE_FAILED', remedy: expect.stringContaining('rights') });
  expect(failure('EROFS')).toMatchObject({ code: 'STORE_FAILED', remedy: expect.stringContaining('read-only') });
  expect(failure('ENOENT')).toMatchObject({ code: 'STORE_NOT_FOUND' });
  expect(failure('ENAMETOOLONG')).toMatchObject({ code: 'STORE_KEY_INVALID' });
});

test('a real directory without rights is STORE_FAILED', async () => {
  if (process.getuid?.() === 0) return; // root may do anything
  const root = join(folder, 'forbidden');
  await mkdir(root, { mode: 0o500 });
  await expect(new LocalStore(root).put('a/b', Buffer.from('x'))).rejects.toMatchObject({
    code: 'STORE_FAILED',
    message: expect.stringContaining('EACCES'),
  });
  await chmod(root, 0o700);
});
