import { describe, expect, test } from 'vitest';
import { foreignPath, formatSnapshotName, parseForeignKey, parseSnapshotName } from './snapshot-name.ts';

describe('names of snapshots', () => {
  test.each([
    ['Full-00000000-00000012-1706877127', 'full', 0, 12, 'none', false],
    ['Full-00000000-00000012-1706877127.gz', 'full', 0, 12, 'gzip', false],
    ['Incr-00000013-00000031-1706877157.zlib', 'delta', 13, 31, 'zlib', false],
    ['Incr-00000013-00000031-1706877157.Z', 'delta', 13, 31, 'lzw', false],
    ['Full-00000000-123456789012-1706877127.final', 'full', 0, 123456789012, 'none', true],
    ['Full-00000000-00000012-1706877127.gz.final', 'full', 0, 12, 'gzip', true],
  ] as const)('%s', (name, kind, first, last, codec, isFinal) => {
    const parsed = parseSnapshotName(name);
    expect(parsed).toMatchObject({ kind, first, last, codec, isFinal });
    expect(formatSnapshotName(parsed!)).toBe(name);
  });

  test.each([
    'Full-00000012-1706877127',
    'Chunk-00000000-00000012-1706877127',
    'Full-00000013-00000012-1706877127',
    'Full-00000000-99999999999999999-1706877127',
    'Full-00000000-00000012-1706877127.zst',
    'Full-00000000-00000012-1706877127.final.gz',
    'Full-0x000000-00000012-1706877127',
    'Full-00000000-00000012-1706877127/00001',
    '',
  ])('%s is none', (name) => {
    expect(parseSnapshotName(name)).toBeUndefined();
  });
});

describe('places', () => {
  const name = 'Incr-00000013-00000031-1706877157.gz';
  test.each([
    [`Backup-20240202/${name}`, 'seed', 'seed'],
    [`v2/${name}`, 'gardener', 'v2'],
    [`v1/Backup-1706877127/${name}`, 'gardener', 'v1'],
  ])('%s', (path, layout, version) => {
    expect(parseForeignKey(path)).toMatchObject({ layout, version, first: 13, last: 31 });
  });

  test.each([
    name,
    `v3/${name}`,
    `v2/x/${name}`,
    `v2/${name}/00001`,
    `Backup-2024/${name}`,
    `Backup-20240202/${name}.final`,
  ])('%s is none', (path) => {
    expect(parseForeignKey(path)).toBeUndefined();
  });

  test('what is written lies where the tools look', () => {
    const parsed = parseSnapshotName(name)!;
    expect(foreignPath('seed', parsed)).toBe(`Backup-20240202/${name}`);
    expect(foreignPath('gardener', parsed)).toBe(`v2/${name}`);
  });
});
