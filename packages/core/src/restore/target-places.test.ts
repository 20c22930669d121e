import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fullEntry } from '../repository/repository-samples.ts';
import { LocalStore } from '../storage/local-store.ts';
import { checkPlaces } from './target-places.ts';

const full = fullEntry({ revision: 10 });
let home: string;
let store: LocalStore;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'etcd-ops-places-'));
  store = new LocalStore(join(home, 'bucket'));
  mkdirSync(dirname(join(home, 'bucket', full.key)), { recursive: true });
  writeFileSync(join(home, 'bucket', full.key), 'a database');
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const check = (...names: string[]): void =>
  checkPlaces(
    names.map((name) => join(home, name)),
    { store, plan: { cluster: 'prod', full } },
  );
const says = (message: RegExp): object =>
  expect.objectContaining({ code: 'USAGE', message: expect.stringMatching(message) });

test('places of their own are fine, beside the repository and beside each other', () => {
  expect(() => check('a', 'ab', 'bucket/restored', 'bucket/restored-wal', 'bucket.old/prod')).not.toThrow();
  const remote = { localPath: () => undefined };
  expect(() =>
    checkPlaces([join(home, 'bucket/prod/x')], { store: remote, plan: { cluster: 'prod', full } }),
  ).not.toThrow();
  const file = { localPath: (key: string) => key };
  const plan = { cluster: 'file', full: { ...full, key: join(home, 'bucket', full.key) } };
  expect(() => checkPlaces([join(home, 'bucket/data')], { store: file, plan })).not.toThrow();
});

test('one directory named twice is called that, also by two names', () => {
  expect(() => check('a', 'b', 'a')).toThrow(says(/\/a is named twice/));
  mkdirSync(join(home, 'real'));
  symlinkSync(join(home, 'real'), join(home, 'link'));
  expect(() => check('real', 'link')).toThrow(says(/\/real and .*\/link are the same directory/));
  expect(() => check('real/x', 'link/x')).toThrow(says(/are the same directory/));
});

test('a directory inside of another one is refused in either order', () => {
  symlinkSync(home, join(home, 'here'));
  for (const names of [
    ['a', 'a/wal'],
    ['a/wal', 'a'],
    ['here/a/wal', 'a'],
  ]) {
    expect(() => check(...names)).toThrow(says(/wal is inside .*a: every one/));
  }
});

test('a directory inside of the repository is refused, and inside of any other one of the bucket', () => {
  symlinkSync(join(home, 'bucket'), join(home, 'elsewhere'));
  for (const name of ['bucket/prod', 'bucket/prod/t00000001/rr', 'elsewhere/prod/new', 'bucket/other/t00000001/x']) {
    expect(() => check(name)).toThrow(says(/is inside of the repository .*bucket\/(prod|other)/));
  }
});
