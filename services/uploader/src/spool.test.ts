import { eventually, tempDir } from '@etcd-ops/test-kit';
import { existsSync, mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { thisOwner, TOUCH_EVERY_MS } from './spool-owner.ts';
import { Spool } from './spool.ts';

describe('Spool', () => {
  it('removes what dead processes left, and nothing else', async () => {
    await using dir = tempDir();
    const { namespace } = await thisOwner();
    const here = `uploader-${namespace}`;
    const dead = [`${here}-${2 ** 22 + 5}-100-abc`, `${here}-${process.pid}-100-abc`];
    const living = [`${here}-${process.ppid}-100-abc`, 'foreign'];
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

  it('on a volume that containers share, leaves alone what others touch, whatever their process ids', async () => {
    await using dir = tempDir();
    const elsewhere = 'uploader-0123456789ab';
    const minutesAgo = { [`${elsewhere}-1-100-abc`]: 9, [`${elsewhere}-${process.pid}-100-abc`]: 0 };
    const gone = { [`${elsewhere}-2-100-abc`]: 11, [`uploader-${process.ppid}-100-abc`]: 25 * 60 };
    // Of a version that knew of no namespaces, and may be uploading for hours.
    const older = { [`uploader-${2 ** 22 + 5}-100-abc`]: 60 };
    for (const [name, minutes] of Object.entries({ ...minutesAgo, ...gone, ...older })) {
      mkdirSync(dir.file(name));
      const at = new Date(Date.now() - minutes * 60_000);
      utimesSync(dir.file(name), at, at);
    }
    await using spool = await Spool.open(dir.path);
    const left = [...Object.keys({ ...minutesAgo, ...older }), basename(spool.directory)];
    expect(readdirSync(dir.path).toSorted()).toEqual(left.toSorted());
  });

  it('touches its directory as long as it is open, and clears up after others meanwhile', async () => {
    await using dir = tempDir();
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      const spool = await Spool.open(dir.path);
      const long = new Date(Date.now() - 3_600_000);
      utimesSync(spool.directory, long, long);
      mkdirSync(dir.file('uploader-0123456789ab-1-100-abc'));
      utimesSync(dir.file('uploader-0123456789ab-1-100-abc'), long, long);
      vi.advanceTimersByTime(TOUCH_EVERY_MS);
      await eventually(() => statSync(spool.directory).mtimeMs > long.getTime() + 3_000_000);
      await eventually(() => readdirSync(dir.path).length === 1);
      await spool[Symbol.asyncDispose]();
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
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
