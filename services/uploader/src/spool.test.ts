import { tempDir } from '@etcd-ops/test-kit';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Spool } from './spool.ts';

describe('Spool', () => {
  it('removes what dead processes left, and nothing else', async () => {
    await using dir = tempDir();
    const dead = [`uploader-${2 ** 22 + 5}-100-abc`, `uploader-${process.pid}-100-abc`];
    const living = [`uploader-${process.ppid}-100-abc`, 'foreign'];
    for (const name of [...dead, ...living]) {
      mkdirSync(dir.file(name));
      writeFileSync(dir.file(name, 'x'), 'x');
    }
    await using first = await Spool.open(dir.path);
    // A second uploader in the same process leaves the first one alone.
    await using second = await Spool.open(dir.path);
    expect(existsSync(first.directory) && existsSync(second.directory)).toBe(true);
    const left = readdirSync(dir.path);
    expect(left).toHaveLength(4);
    expect(left).toEqual(expect.arrayContaining(living));
  });

  it('takes its files and itself away', async () => {
    await using dir = tempDir();
    {
      await using spool = await Spool.open(dir.path);
      {
        await using file = spool.file('full.db');
        writeFileSync(file.path, 'x');
      }
      expect(readdirSync(spool.directory)).toEqual([]);
      writeFileSync(spool.file('other').path, 'x');
    }
    expect(readdirSync(dir.path)).toEqual([]);
  });
});
