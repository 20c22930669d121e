import { spawnSync } from 'node:child_process';
import { lstat, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { StagedDirectory } from './staged-directory.ts';

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'etcd-ops-stage-'));
});
afterEach(async () => {
  await rm(home, { recursive: true });
});

async function fill(stage: StagedDirectory): Promise<void> {
  await mkdir(join(stage.content, 'member'));
  await writeFile(join(stage.content, 'member', 'db'), 'x');
}

describe('StagedDirectory', () => {
  test('makes a missing directory and its parents in one step, privately', async () => {
    const target = join(home, 'a/b/data');
    const stage = await StagedDirectory.prepare(target);
    await fill(stage);
    await expect(lstat(target)).rejects.toMatchObject({ code: 'ENOENT' });
    await stage.publish();
    await stage.close();
    expect(await readdir(join(home, 'a/b'))).toEqual(['data']);
    expect(await readdir(join(target, 'member'))).toEqual(['db']);
    expect((await stat(target)).mode & 0o777).toBe(0o700);
  });

  test('an existing empty directory stays the directory that it is', async () => {
    const target = join(home, 'data');
    await mkdir(join(target, 'lost+found'), { recursive: true });
    const { ino } = await lstat(target);
    const stage = await StagedDirectory.prepare(target);
    await fill(stage);
    expect(await readdir(target)).toEqual(['.etcd-ops.part', 'lost+found']);
    await stage.publish();
    await stage.close();
    expect((await readdir(target)).sort()).toEqual(['lost+found', 'member']);
    expect((await lstat(target)).ino).toBe(ino);
  });

  test.each(['missing', 'empty'])('discard leaves nothing, before and after publish (%s target)', async (kind) => {
    const target = join(home, kind === 'missing' ? 'a/data' : 'data');
    if (kind === 'empty') await mkdir(target);
    const before = await readdir(home, { recursive: true });
    for (const publish of [false, true]) {
      const stage = await StagedDirectory.prepare(target);
      await fill(stage);
      if (publish) await stage.publish();
      await stage.discard();
      expect(await readdir(home, { recursive: true })).toEqual(before);
    }
  });

  test('refuses a link to nothing before anything is made', async () => {
    const target = join(home, 'data');
    await symlink(join(home, 'nowhere'), target);
    await expect(StagedDirectory.prepare(target)).rejects.toMatchObject({
      code: 'TARGET_OCCUPIED',
      message: `${target}: it is a link to something that is not there`,
    });
    expect(await readdir(home)).toEqual(['data']);
  });

  test('refuses what holds data, is no directory, or is being restored into', async () => {
    await mkdir(join(home, 'full/member'), { recursive: true });
    await writeFile(join(home, 'file'), '');
    await expect(StagedDirectory.prepare(join(home, 'full'))).rejects.toMatchObject({ code: 'TARGET_OCCUPIED' });
    await expect(StagedDirectory.prepare(join(home, 'file'))).rejects.toMatchObject({ code: 'TARGET_OCCUPIED' });
    const stage = await StagedDirectory.prepare(join(home, 'data'));
    await expect(StagedDirectory.prepare(join(home, 'data'))).rejects.toMatchObject({ code: 'TARGET_OCCUPIED' });
    await stage.discard();
    await (await StagedDirectory.prepare(join(home, 'data'))).discard();
  });

  test('refuses a working directory that is not ours, and keeps it', async () => {
    await mkdir(join(home, 'data.part'));
    await writeFile(join(home, 'data.part', 'mine'), '');
    await expect(StagedDirectory.prepare(join(home, 'data'))).rejects.toMatchObject({ code: 'TARGET_OCCUPIED' });
    expect(await readdir(join(home, 'data.part'))).toEqual(['mine']);
    expect(await readdir(home)).toEqual(['data.part']);
  });

  test.each([
    ['empty', async () => undefined],
    ['without a whole marker', async (work: string) => await writeFile(join(work, 'etcd-ops-restore.json'), '{"pi')],
    [
      'of a process that died',
      async (work: string) => {
        const dead = spawnSync(process.execPath, ['-e', '']).pid;
        await writeFile(
          join(work, 'etcd-ops-restore.json'),
          JSON.stringify({ host: hostname(), pid: dead, processStart: '1' }),
        );
        await mkdir(join(work, 'content/member/snap'), { recursive: true });
      },
    ],
  ])('removes a working directory of a killed restore: %s', async (_name, leaveBehind) => {
    const target = join(home, 'data');
    await mkdir(`${target}.part`);
    await leaveBehind(`${target}.part`);
    const stage = await StagedDirectory.prepare(target);
    expect(await readdir(stage.content)).toEqual([]);
    await stage.discard();
    expect(await readdir(home)).toEqual([]);
  });

  test('refuses the working directory of a living process', async () => {
    const target = join(home, 'data');
    await mkdir(`${target}.part`);
    const text = await import('node:fs').then((fs) => fs.readFileSync(`/proc/${process.ppid}/stat`, 'latin1'));
    const processStart = text.slice(text.lastIndexOf(')') + 2).split(' ')[19];
    await writeFile(
      join(`${target}.part`, 'etcd-ops-restore.json'),
      JSON.stringify({ host: hostname(), pid: process.ppid, processStart }),
    );
    await expect(StagedDirectory.prepare(target)).rejects.toThrow(/restores into it/);
  });

  test('a directory that appeared meanwhile is not replaced', async () => {
    const target = join(home, 'data');
    const stage = await StagedDirectory.prepare(target);
    await fill(stage);
    await mkdir(target);
    await expect(stage.publish()).rejects.toMatchObject({ code: 'TARGET_OCCUPIED' });
    await stage.discard();
    expect(await readdir(home)).toEqual(['data']);
  });
});
