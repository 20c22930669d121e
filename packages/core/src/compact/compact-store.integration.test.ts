import { copyFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { BoltFile } from '../bolt/bolt-file.ts';
import { checkBoltFile } from '../bolt/check.ts';
import { hashKV } from '../mvcc/hash-kv.ts';
import { readStoreInfo } from '../mvcc/store-info.ts';
import { hardLoad } from '../mvcc/testing/hard-load.ts';
import { distinctEtcdVersions, LiveStore, missingBinary } from '../mvcc/testing/live-store.ts';
import { Randomness } from '../mvcc/testing/randomness.ts';
import { compactStore } from './compact-store.ts';

const versions = distinctEtcdVersions();

test('an etcd can be found', (context) => {
  if (versions.length === 0) context.skip(missingBinary('etcd'));
});

describe.each(versions)('compactStore of a store of etcd %s', { timeout: 120_000 }, (version) => {
  test.each([false, true])(
    'equals the compaction and defragmentation of etcd itself (compacted before: %s)',
    async (wasCompacted) => {
      await using store = await LiveStore.start(version);
      const load = await hardLoad(store, new Randomness(wasCompacted ? 11 : 12), 300);
      if (wasCompacted) await store.compact(load.revisions[60]!);
      const snapshot = await store.snapshot();
      const revision = load.revisions[170]!;
      const last = load.revisions.at(-1)!;
      const target = `${snapshot}.compacted`;
      const report = await compactStore(snapshot, target, { revision });
      expect(report).toMatchObject({ revision: last, compactRevision: revision, hasSnapshotHash: true });
      expect(report.rowsDropped).toBeGreaterThan(100);
      expect((await store.officialStatus(target)).revision).toBe(last);

      await store.compact(revision);
      expect(report.targetBytes - 32).toBeLessThanOrEqual(await store.defragment());
      const middle = load.revisions[230]!;
      const living = await Promise.all([store.range(last), store.range(middle), store.leases()]);
      await expectEqualHashes(store, target, [revision + 1, middle, last]);

      // etcd boots from it, hashes the same, and has the same keys at every revision asked for.
      const bare = await store.copyForEditing(target);
      await store.restartWith('stop', (path) => copyFileSync(bare, path));
      // Older servers refuse HashKV at the compact revision itself.
      const hashesItself = !version.startsWith('3.4');
      await expectEqualHashes(store, target, [...(hashesItself ? [revision] : []), revision + 1, middle, last]);
      expect(await Promise.all([store.range(last), store.range(middle), store.leases()])).toEqual(living);

      // It is written to, compacted, defragmented and restarted like any other.
      const later = await hardLoad(store, new Randomness(13), 80);
      await store.compact(later.revisions[40]!);
      await store.defragment();
      const ended = await store.restartWith('stop');
      using file = BoltFile.open(ended);
      await checkBoltFile(file);
      expect((await store.officialStatus(ended)).revision).toBe(later.revisions.at(-1));
      expect(await hashKV(file)).toEqual(await store.hashKV());
    },
  );

  test('nothing alive: the revision stays, and the next write gets the next one', async () => {
    await using store = await LiveStore.start(version);
    await hardLoad(store, new Randomness(14), 40);
    const last = await store.deleteRange('\0', '\0');
    const snapshot = await store.snapshot();
    const target = `${snapshot}.compacted`;
    expect(await compactStore(snapshot, target)).toMatchObject({ revision: last, compactRevision: last, rowsKept: 0 });
    using file = BoltFile.open(target);
    expect(readStoreInfo(file)).toMatchObject({ revision: last, lastRow: 0 });
    await store.officialStatus(target);
    const bare = await store.copyForEditing(target);
    await store.restartWith('stop', (path) => copyFileSync(bare, path));
    expect(await store.put('again', '1')).toBe(last + 1);
    using after = BoltFile.open(await store.snapshot());
    expect(await hashKV(after)).toEqual(await store.hashKV());
  });
});

async function expectEqualHashes(store: LiveStore, path: string, revisions: readonly number[]): Promise<void> {
  using file = BoltFile.open(path);
  for (const revision of revisions) {
    expect(await hashKV(file, { revision })).toEqual(await store.hashKV(revision));
  }
}
