import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { BoltFile } from '../bolt/bolt-file.ts';
import { BoltWriter } from '../bolt/bolt-writer.ts';
import { checkBoltFile } from '../bolt/check.ts';
import { entriesOf, Scratch } from '../bolt/testing/scratch.ts';
import { encodeLeaseRow, readLeases } from '../mvcc/leases.ts';
import { encodeRevisionKey } from '../mvcc/revision.ts';
import { readStoreInfo } from '../mvcc/store-info.ts';
import { rowsOfHistory, writeModelStore } from '../mvcc/testing/model-store.ts';
import { planRestore } from '../repository/plan-restore.ts';
import type { RestoreOptions } from './restore-options.ts';
import { restore } from './restore.ts';
import { TestRepository } from './testing/repository-of.ts';

const scratch = new Scratch();
afterAll(() => scratch[Symbol.dispose]());
const rows = rowsOfHistory(
  Array.from({ length: 40 }, (_, index) => [{ key: `k${index % 7}`, lease: index === 3 ? 77n : 0n }]),
);
const FULL_END = 25;

async function makeRepository(): Promise<TestRepository> {
  const repository = new TestRepository(scratch.file());
  const full = scratch.file();
  writeModelStore(full, rows.slice(0, FULL_END - 1), { scheduled: 5, finished: 5 });
  {
    using writer = BoltWriter.open(full);
    writer.replaceBucket('lease', [encodeLeaseRow(77n, 600, 100), encodeLeaseRow(78n, 900)]);
    writer.commit({ sync: false });
  }
  await repository.addFull(full);
  await repository.addDelta(rows.slice(FULL_END - 1));
  return repository;
}

async function restored(
  revision: number,
  options: Partial<RestoreOptions>,
): Promise<{ path: string; report: Awaited<ReturnType<typeof restore>> }> {
  const repository = await makeRepository();
  const plan = planRestore(await repository.inventory(), { kind: 'revision', revision });
  const dataDir = scratch.file();
  const report = await restore({
    store: repository.store,
    plan,
    dataDirs: [{ member: 'default', dataDir }],
    initialCluster: [{ name: 'default', peerUrls: ['http://localhost:2380'] }],
    token: 'token',
    ...options,
  });
  return { path: join(dataDir, 'member', 'snap', 'db'), report };
}

describe('restore with a bump', () => {
  test.each([10, FULL_END, 30, 41])(
    'to revision %i: one empty row, and all below counts as compacted',
    async (revision) => {
      const { path, report } = await restored(revision, { bumpRevision: 1_000_000, hashKv: true });
      const bumped = revision + 1_000_000;
      expect(report).toMatchObject({
        revision,
        compactRevision: bumped,
        bumped: { by: 1_000_000, revision: bumped },
        hashKv: { revision: bumped, compactRevision: bumped },
      });
      using file = BoltFile.open(path);
      await checkBoltFile(file);
      expect(readStoreInfo(file)).toMatchObject({
        lastRow: bumped,
        revision: bumped,
        scheduledCompact: bumped,
        finishedCompact: 5,
      });
      const entries = entriesOf(file.bucket('key')!);
      expect(entries.at(-1)).toEqual({ key: encodeRevisionKey(bumped), value: Buffer.alloc(0) });
      expect(entries).toHaveLength(rows.filter(({ main }) => main <= revision).length + 1);
    },
  );

  test.each([0, -1, 1.5, Number.MAX_SAFE_INTEGER])('refuses a bump by %d', async (bumpRevision) => {
    await expect(restored(30, { bumpRevision })).rejects.toMatchObject({ code: 'USAGE' });
  });
});

describe('restore of leases', () => {
  test.each([
    [
      undefined,
      [
        [77n, 600, 0],
        [78n, 900, 0],
      ],
    ],
    [
      'renew',
      [
        [77n, 600, 0],
        [78n, 900, 0],
      ],
    ],
    [
      'keep',
      [
        [77n, 600, 100],
        [78n, 900, 0],
      ],
    ],
    ['drop', []],
  ] as const)('%s', async (leases, expected) => {
    const { path, report } = await restored(30, { leases });
    using file = BoltFile.open(path);
    const found = [...readLeases(file)].map(([id, lease]) => [id, lease.ttlSeconds, lease.remainingTtlSeconds]);
    expect(found).toEqual(expected);
    expect(report.warnings.some((warning) => warning.includes('leases were dropped'))).toBe(leases === 'drop');
  });
});
