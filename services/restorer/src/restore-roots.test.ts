import { tempDir } from '@etcd-ops/test-kit';
import { mkdirSync, symlinkSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { assertBelowRoots } from './restore-roots.ts';

describe('assertBelowRoots', () => {
  it('lets what lies below a root pass, there or not', async () => {
    await using dir = tempDir();
    mkdirSync(dir.file('root', 'there'), { recursive: true });
    const roots = [dir.file('elsewhere'), dir.file('root')];
    await assertBelowRoots(dir.file('root', 'there'), roots);
    await assertBelowRoots(dir.file('root', 'new', 'deep'), roots);
    await assertBelowRoots(`${dir.file('root')}/there/../new`, roots);
  });

  it('follows links in the root as well as in the target', async () => {
    await using dir = tempDir();
    mkdirSync(dir.file('real'));
    symlinkSync(dir.file('real'), dir.file('root'));
    await assertBelowRoots(dir.file('root', 'x'), [dir.file('root')]);
    await assertBelowRoots(dir.file('real', 'x'), [dir.file('root')]);
  });

  it.each([
    ['outside', (base: string) => `${base}/other/x`],
    ['a neighbour that begins alike', (base: string) => `${base}/root-2/x`],
    ['out by dots', (base: string) => `${base}/root/../other`],
    ['the root itself', (base: string) => `${base}/root`],
    ['a link that leads out', (base: string) => `${base}/root/out/x`],
    ['a link that leads nowhere', (base: string) => `${base}/root/dangling`],
    ['a relative path', () => 'root/x'],
  ])('refuses %s', async (_, target) => {
    await using dir = tempDir();
    mkdirSync(dir.file('root'));
    mkdirSync(dir.file('other'));
    symlinkSync(dir.file('other'), dir.file('root', 'out'));
    symlinkSync(dir.file('nowhere'), dir.file('root', 'dangling'));
    await expect(assertBelowRoots(target(dir.path), [dir.file('root')])).rejects.toMatchObject({ code: 'TARGET_REFUSED' });
  });

  it('refuses everything without roots', async () => {
    await expect(assertBelowRoots('/anything', [])).rejects.toMatchObject({ code: 'TARGET_REFUSED' });
  });
});
