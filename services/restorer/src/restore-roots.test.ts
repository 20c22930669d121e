import { tempDir } from '@etcd-ops/test-kit';
import { mkdirSync, symlinkSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { assertBelowRoots } from './restore-roots.ts';

describe('assertBelowRoots', () => {
  it('lets what lies below a root pass, there or not', async () => {
    await using dir = tempDir();
    mkdirSync(dir.file('allowed', 'there'), { recursive: true });
    const roots = [dir.file('elsewhere'), dir.file('allowed')];
    await assertBelowRoots(dir.file('allowed', 'there'), roots);
    await assertBelowRoots(dir.file('allowed', 'new', 'deep'), roots);
    await assertBelowRoots(`${dir.file('allowed')}/there/../new`, roots);
  });

  it('follows links in the root as well as in the target', async () => {
    await using dir = tempDir();
    mkdirSync(dir.file('real'));
    symlinkSync(dir.file('real'), dir.file('allowed'));
    await assertBelowRoots(dir.file('allowed', 'x'), [dir.file('allowed')]);
    await assertBelowRoots(dir.file('real', 'x'), [dir.file('allowed')]);
  });

  it.each([
    ['outside', (base: string) => `${base}/other/x`],
    ['a neighbour that begins alike', (base: string) => `${base}/allowed-2/x`],
    ['out by dots', (base: string) => `${base}/allowed/../other`],
    ['the root itself', (base: string) => `${base}/allowed`],
    ['a link that leads out', (base: string) => `${base}/allowed/out/x`],
    ['a link that leads nowhere', (base: string) => `${base}/allowed/dangling`],
    ['a relative path', () => 'root/x'],
  ])('refuses %s', async (_, target) => {
    await using dir = tempDir();
    mkdirSync(dir.file('allowed'));
    mkdirSync(dir.file('other'));
    symlinkSync(dir.file('other'), dir.file('allowed', 'out'));
    symlinkSync(dir.file('nowhere'), dir.file('allowed', 'dangling'));
    await expect(assertBelowRoots(target(dir.path), [dir.file('allowed')])).rejects.toMatchObject({
      code: 'TARGET_REFUSED',
    });
  });

  it('refuses everything without roots', async () => {
    await expect(assertBelowRoots('/anything', [])).rejects.toMatchObject({ code: 'TARGET_REFUSED' });
  });
});
