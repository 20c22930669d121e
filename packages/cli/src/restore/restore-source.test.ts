import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BoltFile, ROW_BUCKET } from '@etcd-ops/core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { restoreCommand } from '../commands/restore.ts';
import { readCommandLine } from '../options/command-line.ts';
import { planSource, type SourceOptions } from './restore-source.ts';

const GOLDEN = new URL('../../../core/src/bolt/golden/etcd-3.4.23-snapshot.db', import.meta.url);
let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'etcd-ops-source-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function planFile(path: string, ...line: string[]): Promise<number> {
  const read = await readCommandLine(restoreCommand, ['--from-file', path, ...line], {});
  if (read.kind === 'help') throw new Error('help was asked for');
  await using source = await planSource(read.options as unknown as SourceOptions, new AbortController().signal);
  return source.plan.revision;
}

test('a file that no hash vouches for is looked through row by row before anything is restored', async () => {
  const path = join(directory, 'copied.db');
  copyFileSync(GOLDEN, path);
  const bytes = readFileSync(path);
  using file = BoltFile.open(path);
  const value = Buffer.from([...file.bucket(ROW_BUCKET)!.leaves()][0]!.value(1));
  for (let at = bytes.indexOf(value); at >= 0; at = bytes.indexOf(value, at + 1)) {
    bytes.fill(0xff, at, at + value.length);
  }
  const damaged = join(directory, 'damaged.db');
  writeFileSync(damaged, bytes.subarray(0, -32));
  await expect(planFile(damaged, '--skip-hash-check')).rejects.toMatchObject({
    code: 'MVCC_DAMAGED',
    message: expect.stringMatching(/damaged\.db: Bucket key, page \d+, entry 1: the row of revision \d+ has no mvccpb/),
  });
  expect(await planFile(path, '--skip-hash-check')).toBe(await planFile(path));
});
