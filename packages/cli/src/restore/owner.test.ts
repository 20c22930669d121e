import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { giveTo, parseOwner, type AccountFiles } from './owner.ts';

let directory: string;
let files: AccountFiles;
const isRoot = process.geteuid?.() === 0;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'etcd-ops-owner-'));
  files = { passwd: join(directory, 'passwd'), group: join(directory, 'group') };
  writeFileSync(files.passwd, 'root:x:0:0::/root:/bin/sh\netcd:x:998:996::/:/bin/false\n');
  writeFileSync(files.group, 'root:x:0:\netcd:x:996:\nbackup:x:34:\n');
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('as root', () => {
  beforeEach(({ skip }) => skip(!isRoot, 'only root can give files away'));

  test.each([
    ['etcd', { uid: 998, gid: 996 }],
    ['etcd:', { uid: 998, gid: 996 }],
    ['etcd:backup', { uid: 998, gid: 34 }],
    ['998:996', { uid: 998, gid: 996 }],
    ['1234:etcd', { uid: 1234, gid: 996 }],
  ])('%s', (text, owner) => {
    expect(parseOwner(text, files)).toEqual(owner);
  });

  test.each([['nobody-here'], ['etcd:nobody-here'], ['1234'], [''], ['a:b:c'], [':etcd']])('refuses %j', (text) => {
    expect(() => parseOwner(text, files)).toThrow(/--owner/);
  });

  test('a directory is given with all that is in it', async () => {
    mkdirSync(join(directory, 'data', 'member', 'snap'), { recursive: true });
    writeFileSync(join(directory, 'data', 'member', 'snap', 'db'), '');
    await giveTo({ uid: 998, gid: 996 }, join(directory, 'data'));
    for (const path of ['data', 'data/member', 'data/member/snap/db']) {
      expect(statSync(join(directory, path))).toMatchObject({ uid: 998, gid: 996 });
    }
  });
});

test('who is not root hears what to do', ({ skip }) => {
  skip(isRoot, 'this is root');
  expect(() => parseOwner('etcd', files)).toThrow(/only root/);
});
