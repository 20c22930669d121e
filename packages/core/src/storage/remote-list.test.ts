import fc from 'fast-check';
import { expect, test } from 'vitest';
import { collect } from './collect.ts';
import { listingCuts } from './listing-cuts.ts';
import type { RemoteBucket } from './remote-bucket.ts';
import { listKeys } from './remote-list.ts';

interface Pages {
  pageKeys: number;
  /** Passes over `after`, as an old server does. */
  deaf?: boolean;
  /** Called before each page. */
  before?: (after: string) => Promise<void> | void;
}

/** A bucket of names alone, that counts. */
function bucketOf(names: readonly string[], { pageKeys, deaf = false, before }: Pages) {
  const sorted = [...new Set(names)].sort();
  const seen = { pages: 0, inWork: 0, inWorkMax: 0 };
  const bucket = {
    description: 'a bucket of names',
    async listPage(prefix: string, { after, next }: { after?: string | undefined; next?: string | undefined }) {
      seen.pages++;
      seen.inWorkMax = Math.max(seen.inWorkMax, ++seen.inWork);
      const from = next ?? (deaf ? '' : (after ?? ''));
      await (before ?? (async (): Promise<void> => await new Promise(setImmediate)))(from);
      seen.inWork--;
      const left = sorted.filter((key) => key.startsWith(prefix) && key > from);
      const keys = left.slice(0, pageKeys);
      const objects = keys.map((key) => ({ key, bytes: key.length, modifiedAtMs: 0 }));
      return left.length > keys.length ? { objects, next: keys.at(-1)! } : { objects };
    },
  } as unknown as RemoteBucket;
  return { bucket, seen, sorted };
}

const ANYWHERE = { after: undefined, signal: undefined };
const listed = async (bucket: RemoteBucket, prefix = '', after?: string): Promise<string[]> =>
  (await collect(listKeys(bucket, prefix, { after, signal: undefined }))).map(({ key }) => key);
const numbered = (folder: string, numbers: readonly number[]): string[] =>
  numbers.map((number) => `${folder}/${String(number).padStart(8, '0')}-x`);
const counted = (count: number): number[] => Array.from({ length: count }, (_, index) => index * 7 + 1);

test('whatever lies there comes whole, in order and once', async () => {
  const number = fc.oneof(fc.nat(300), fc.nat(99_999_999));
  const name = fc.oneof(
    fc.tuple(fc.constantFrom('a/delta', 'a/full', 'a', 'b'), number).map(([folder, at]) => numbered(folder, [at])[0]!),
    fc.constantFrom('a/cluster.json', 'a/x', 'z/9', 'z/10', 'z/9a'),
  );
  const names = fc.array(name, { maxLength: 400 });
  await fc.assert(
    fc.asyncProperty(
      names,
      fc.integer({ min: 1, max: 20 }),
      fc.boolean(),
      fc.option(name),
      async (keys, pageKeys, deaf, after) => {
        const { bucket, sorted, seen } = bucketOf(keys, { pageKeys, deaf });
        expect(await listed(bucket)).toEqual(sorted);
        expect(seen.inWorkMax).toBeLessThanOrEqual(8);
        const below = sorted.filter((key) => key.startsWith('a/') && key > (after ?? ''));
        expect(await listed(bucket, 'a/', after ?? undefined)).toEqual(below);
      },
    ),
    { numRuns: 200 },
  );
});

test('a long list is asked for in many places at once, and with few more requests than it has pages', async () => {
  const { bucket, seen, sorted } = bucketOf(numbered('a/delta', counted(10_000)), { pageKeys: 100 });
  expect(await listed(bucket)).toEqual(sorted);
  expect(seen.inWorkMax).toBe(8);
  expect(seen.pages).toBeLessThan(150);
});

test('a list of two pages costs two requests', async () => {
  const { bucket, seen, sorted } = bucketOf(numbered('a/delta', counted(200)), { pageKeys: 100 });
  expect(await listed(bucket)).toEqual(sorted);
  expect(seen.pages).toBe(2);
});

test('whoever does not read on holds a bounded number of pages, and whoever leaves stops it', async () => {
  const { bucket, seen } = bucketOf(numbered('a/delta', counted(100_000)), { pageKeys: 100 });
  const list = listKeys(bucket, '', ANYWHERE);
  await list.next();
  let before = -1;
  while (seen.pages !== before) {
    before = seen.pages;
    for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
  }
  expect(seen.pages).toBeLessThan(80);
  await list.return(undefined);
  for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
  expect(seen.pages).toBe(before);
});

test('a page far ahead that cannot be had fails the list', async () => {
  const { bucket } = bucketOf(numbered('a/delta', counted(10_000)), {
    pageKeys: 100,
    before: (after) => {
      if (after > 'a/delta/00030000') throw new Error('no such page');
    },
  });
  await expect(listed(bucket)).rejects.toThrow('no such page');
});

test('names that do not come in order are refused', async () => {
  const bucket = {
    description: 'a directory bucket',
    listPage: async () => ({ objects: ['b', 'a'].map((key) => ({ key, bytes: 1, modifiedAtMs: 0 })) }),
  } as unknown as RemoteBucket;
  await expect(listed(bucket)).rejects.toMatchObject({ code: 'STORE_REFUSED' });
});

test('cuts go on from how far one run got, within what is asked for', () => {
  const page = { first: 'a/t1/0100-x', last: 'a/t1/0200-x' };
  expect(listingCuts(page, { until: undefined, pieces: 4 })).toEqual(['a/t1/1000', 'a/t1/1800', 'a/t1/2600']);
  expect(listingCuts(page, { until: 'a/t1/0600', pieces: 8 })).toEqual(['a/t1/0300', 'a/t1/0400', 'a/t1/0500']);
  expect(listingCuts(page, { until: 'a/t1/0399', pieces: 8 })).toEqual([]);
  expect(listingCuts(page, { until: 'a/t1/0800-y', pieces: 2 })).toEqual(['a/t1/0500']);
  // The number is at its end: nothing lies behind it that it could name.
  expect(listingCuts({ first: '90', last: '99' }, { until: undefined, pieces: 8 })).toEqual([]);
  for (const [first, last] of [
    ['a', 'b'],
    ['a/1', 'a/x'],
    ['9', '10'],
    ['', '1'],
    ['7', '7'],
  ] as const) {
    expect(listingCuts({ first, last }, { until: undefined, pieces: 8 })).toEqual([]);
  }
});
