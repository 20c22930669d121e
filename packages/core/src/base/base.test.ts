import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { renameDurably, syncDirectory, writeFileAtomic } from './atomic-file.ts';
import { Yielder } from './yielding.ts';

describe('atomic files', () => {
  let directory = '';
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'etcd-ops-atomic-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  test('writes, replaces and leaves nothing else behind', async () => {
    const path = join(directory, 'a');
    await writeFileAtomic(path, Buffer.from('one'));
    await Promise.all([writeFileAtomic(path, Buffer.from('two')), writeFileAtomic(path, Buffer.from('two'))]);
    expect(await readFile(path, 'utf8')).toBe('two');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await renameDurably(path, join(directory, 'b'));
    await syncDirectory(directory);
    expect(await readdir(directory)).toEqual(['b']);
  });

  test('removes its temporary file when the rename is not possible', async () => {
    await expect(writeFileAtomic(join(directory, 'missing', 'a'), Buffer.from('x'))).rejects.toThrow('ENOENT');
    await expect(writeFileAtomic(directory, Buffer.from('x'))).rejects.toThrow('EISDIR');
    expect(await readdir(directory)).toEqual([]);
  });
});

describe('Yielder', () => {
  test('gives the event loop a turn after the bytes named', async () => {
    const yielder = new Yielder({ bytesBetween: 10 });
    let turns = 0;
    setImmediate(() => turns++);
    await yielder.tick(9);
    expect(turns).toBe(0);
    await yielder.tick(1);
    expect(turns).toBe(1);
  });

  test('throws CANCELLED with the reason', async () => {
    const controller = new AbortController();
    const yielder = new Yielder({ bytesBetween: 1, signal: controller.signal });
    await yielder.tick(1);
    controller.abort(new Error('enough'));
    await expect(yielder.tick(1)).rejects.toMatchObject({ code: 'CANCELLED', cause: { message: 'enough' } });
  });
});
