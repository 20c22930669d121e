import { EtcdOpsError } from '@etcd-ops/core';
import { tempDir } from '@etcd-ops/test-kit';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { withPinnedTargets, type Target } from './pinned-targets.ts';

const cannotPin = existsSync('/proc/self/fd') ? undefined : 'directories are pinned by /proc, which only Linux has';

describe('withPinnedTargets', () => {
  const target = (dataDir: string): Target[] => [{ member: 'm1', dataDir }];

  it('writes where it was asked to, and makes what lacks', async () => {
    await using dir = tempDir();
    await withPinnedTargets(target(dir.file('a', 'b')), [dir.path], async ([pinned]) => {
      await writeFile(join(pinned!.dataDir, 'db'), 'x');
    });
    expect(readdirSync(dir.file('a', 'b'))).toEqual(['db']);
  });

  it('leaves nothing behind of what stayed empty', async () => {
    await using dir = tempDir();
    const failing = withPinnedTargets(target(dir.file('a', 'b')), [dir.path], () =>
      Promise.reject(new EtcdOpsError('DISK_FAILED', { message: 'no space' })),
    );
    await expect(failing).rejects.toMatchObject({ code: 'DISK_FAILED' });
    expect(readdirSync(dir.path)).toEqual([]);
  });

  it('stays in the directory that was checked when a link takes its place', async ({ skip }) => {
    if (cannotPin !== undefined) skip(cannotPin);
    await using dir = tempDir();
    mkdirSync(dir.file('root', 'a'), { recursive: true });
    mkdirSync(dir.file('outside', 'b'), { recursive: true });
    await withPinnedTargets(target(dir.file('root', 'a', 'b')), [dir.file('root')], async ([pinned]) => {
      renameSync(dir.file('root', 'a'), dir.file('root', 'moved'));
      symlinkSync(dir.file('outside'), dir.file('root', 'a'));
      await writeFile(join(pinned!.dataDir, 'db'), 'x');
    });
    expect(readdirSync(dir.file('outside', 'b'))).toEqual([]);
    expect(readdirSync(dir.file('root', 'moved', 'b'))).toEqual(['db']);
  });

  it('is never led outside by somebody who swaps links all the time', async ({ skip }) => {
    if (cannotPin !== undefined) skip(cannotPin);
    await using dir = tempDir();
    const [root, way] = [dir.file('root'), dir.file('root', 'a')];
    mkdirSync(root);
    mkdirSync(dir.file('outside'));
    const enough = new AbortController();
    const swapper = (async () => {
      for (let turn = 0; !enough.signal.aborted; turn++) {
        rmSync(way, { recursive: true, force: true });
        try {
          if (turn % 2 === 0) symlinkSync(dir.file('outside'), way);
          else mkdirSync(way);
        } catch {
          // The other side was faster.
        }
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    let outcomes = 0;
    for (let attempt = 0; attempt < 400; attempt++) {
      const work = withPinnedTargets(target(join(way, 'x')), [root], async ([pinned]) => {
        await writeFile(join(pinned!.dataDir, `db${attempt}`), 'x');
      });
      // Refused, or vanished under its hands: anything but a file outside.
      await work.then(
        () => outcomes++,
        () => outcomes++,
      );
    }
    enough.abort();
    await swapper;
    expect(outcomes).toBe(400);
    expect(readdirSync(dir.file('outside'))).toEqual([]);
  });

  it('refuses a link and a file, and a second restore into the same place', async () => {
    await using dir = tempDir();
    mkdirSync(dir.file('root'));
    writeFileSync(dir.file('root', 'file'), '');
    const run = (path: string, work = async (): Promise<void> => {}): Promise<void> =>
      withPinnedTargets(target(path), [dir.file('root')], work);
    await expect(run(dir.file('root', 'file', 'x'))).rejects.toMatchObject({ code: 'TARGET_REFUSED' });
    await expect(run(dir.file('root', 'file'))).rejects.toMatchObject({ code: 'TARGET_REFUSED' });
    if (cannotPin !== undefined) return;
    const second = (): Promise<void> =>
      expect(run(dir.file('root', 'x'))).rejects.toMatchObject({ code: 'TARGET_OCCUPIED' });
    await run(dir.file('root', 'x'), second);
    await run(dir.file('root', 'x'));
  });

  it('tells errors with the paths that were asked for', async () => {
    await using dir = tempDir();
    const failing = withPinnedTargets(target(dir.file('x')), [dir.path], ([pinned]) =>
      Promise.reject(new EtcdOpsError('TARGET_OCCUPIED', { message: `${pinned!.dataDir}: it holds 'member'` })),
    );
    await expect(failing).rejects.toThrow(`${dir.file('x')}: it holds 'member'`);
  });
});
