import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  eventually,
  findBinary,
  missingBinary,
  runEtcdutl,
  startEtcd,
  tempDir,
  type LocalEtcd,
} from '@etcd-ops/local-servers';
import { BoltFile } from '../bolt/bolt-file.ts';
import { describeEntries, entriesOf } from '../bolt/testing/scratch.ts';
import { hashKV } from '../mvcc/hash-kv.ts';
import { readStoreInfo } from '../mvcc/store-info.ts';
import { hardLoad } from '../mvcc/testing/hard-load.ts';
import { LiveStore } from '../mvcc/testing/live-store.ts';
import { Randomness } from '../mvcc/testing/randomness.ts';
import { planRestore } from '../repository/plan-restore.ts';
import { restore } from './restore.ts';
import { TestRepository } from './testing/repository-of.ts';

const BUMP = 1_000_000_000;

describe.each(['3.5', '3.6'])('a bump as etcdutl %s does it', { timeout: 120_000 }, (version) => {
  test('the same rows and compaction; both boot to the same revision and hash', async (context) => {
    if (findBinary('etcdutl', version) === undefined) context.skip(missingBinary('etcdutl', version));
    const files = tempDir('etcd-ops-bump-');
    try {
      const snapshot = await snapshotOf(version);
      const official = files.file('official');
      const flags = [`--bump-revision=${BUMP}`, '--mark-compacted', '--data-dir', official];
      await runEtcdutl({ version }, 'snapshot', 'restore', snapshot.path, ...flags);

      const repository = new TestRepository(files.file('repository'));
      await repository.addFull(snapshot.path, { etcdVersion: `${version}.0` });
      await snapshot.end();
      const ours = files.file('ours');
      const { bumped } = await restore({
        store: repository.store,
        plan: planRestore(await repository.inventory(), { kind: 'latest' }),
        dataDirs: [{ member: 'default', dataDir: ours }],
        initialCluster: [{ name: 'default', peerUrls: ['http://localhost:2380'] }],
        token: 'etcd-cluster',
        bumpRevision: BUMP,
      });
      const facts = await Promise.all([official, ours].map(factsOf));
      expect(facts[1]).toEqual(facts[0]);
      expect(facts[1]!.info).toMatchObject({ revision: bumped!.revision, scheduledCompact: bumped!.revision });

      const hashes = [];
      for (const dataDir of [official, ours]) hashes.push(await bootedHash(version, dataDir, bumped!.revision));
      expect(hashes[1]).toEqual(hashes[0]);
      expect(hashes[1]!.hash).toBe(facts[1]!.hash.hash);
    } finally {
      await files.remove();
    }
  });
});

async function snapshotOf(version: string): Promise<{ path: string; end: () => Promise<void> }> {
  const store = await LiveStore.start(version);
  const load = await hardLoad(store, new Randomness(3), 120);
  await store.compact(load.revisions[30]!);
  return { path: await store.snapshot(), end: async () => await store[Symbol.asyncDispose]() };
}

async function factsOf(dataDir: string) {
  using file = BoltFile.open(join(dataDir, 'member', 'snap', 'db'));
  const { revision, scheduledCompact, finishedCompact, compactRevision, lastRow } = readStoreInfo(file);
  return {
    info: { revision, scheduledCompact, finishedCompact, compactRevision, lastRow },
    rows: describeEntries(entriesOf(file.bucket('key')!)),
    hash: await hashKV(file),
  };
}

/** What a living etcd says after it has compacted: and what it refuses. */
async function bootedHash(
  version: string,
  dataDir: string,
  revision: number,
): Promise<{ hash: number; revision: number }> {
  await using etcd: LocalEtcd = await startEtcd({ version, dataDir, name: 'default' });
  return await eventually(async () => {
    const answer = await etcd.etcdctl('endpoint', 'hashkv', '-w', 'json');
    const [{ HashKV }] = JSON.parse(answer) as [
      { HashKV: { hash: number; compact_revision: number; header: { revision: number } } },
    ];
    expect(HashKV.compact_revision).toBe(revision);
    await expect(etcd.etcdctl('get', 'x', `--rev=${revision - 1}`)).rejects.toThrow(/compacted/);
    expect(HashKV.header.revision).toBe(revision);
    return { hash: HashKV.hash, revision: HashKV.header.revision };
  });
}
