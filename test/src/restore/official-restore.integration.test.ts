import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  BoltFile,
  FIRST_WAL_NAME,
  LocalStore,
  parseInitialCluster,
  planRestore,
  readInventory,
  restore,
} from '@etcd-ops/core';
import { etcdVersions, findBinary, hardLoad, missingBinary, runEtcdutl, startEtcd, tempDir } from '@etcd-ops/test-kit';
import { expect, test } from 'vitest';
import { CLUSTER, putFull } from './recorded-history.ts';

const CLUSTERS = [
  { name: 'one member', text: 'm1=http://127.0.0.1:12380', members: ['m1'] },
  {
    name: 'three members',
    text: '<m&1>=https://[::1]:2380,<m&1>=HTTP://Host.example:1,m "2"=http://10.0.0.2:2380,m3=http://10.0.0.3:2380',
    members: ['<m&1>', 'm "2"', 'm3'],
  },
];
const TOKEN = 'a <token>';

test.for(['3.4', '3.5', '3.6', '3.7'])(
  'directories are what etcd %s itself would restore',
  async (release, context) => {
    const version = etcdVersions({ withBuilt: true }).findLast((found) => found.startsWith(`${release}.`));
    if (version === undefined) return context.skip(missingBinary('etcd', release));
    const tool = release === '3.4' ? 'etcdctl' : 'etcdutl';
    if (findBinary(tool, version) === undefined) return context.skip(missingBinary(tool, version));
    await using scratch = tempDir();
    const snapshot = scratch.file('snapshot.db');
    {
      await using etcd = await startEtcd({ version });
      await hardLoad({ endpoints: etcd.endpoints, seed: 3, operations: 150, valueBytesMax: 20_000 });
      await etcd.etcdctl('snapshot', 'save', snapshot);
    }
    const store = new LocalStore(scratch.file('bucket'));
    await putFull(store, snapshot, { etcdVersion: version });
    const plan = planRestore(await readInventory(store, CLUSTER), { kind: 'latest' });

    for (const { text, members } of CLUSTERS) {
      const initialCluster = parseInitialCluster(text);
      for (const [index, member] of members.entries()) {
        const official = scratch.file(`official-${members.length}-${index}`);
        const native = scratch.file(`native-${members.length}-${index}`);
        const advertised = initialCluster.find(({ name }) => name === member)!.peerUrls.join(',');
        await runEtcdutl(
          { version },
          ...['snapshot', 'restore', snapshot, `--name=${member}`, `--data-dir=${official}`],
          ...[
            `--initial-cluster=${text}`,
            `--initial-advertise-peer-urls=${advertised}`,
            `--initial-cluster-token=${TOKEN}`,
          ],
        );
        await restore({ store, plan, dataDirs: [{ member, dataDir: native }], initialCluster, token: TOKEN });
        for (const file of sameFiles(release, members.length)) {
          expect(
            (await readFile(join(native, file))).equals(await readFile(join(official, file))),
            `${file} of ${member}`,
          ).toBe(true);
        }
        // etcd 3.4 leaves the old cluster's members in the database: there ours is the better one.
        const buckets =
          release === '3.4' ? ['key', 'cluster', 'lease'] : ['key', 'members', 'members_removed', 'cluster', 'lease'];
        for (const bucket of buckets) {
          expect(entriesOf(native, bucket), `bucket ${bucket} of ${member}`).toEqual(entriesOf(official, bucket));
        }
        expect(entriesOf(native, 'meta')).toMatchObject(without(entriesOf(official, 'meta'), 'confState'));
      }
    }
  },
);

/**
 * The files beside the database that are the same bytes. 3.6 numbers the members in its raft snapshot in the order of a map,
 * another one each time, and 3.7 leaves zeros out of its log; both read what 3.5 writes, which boot-restored proves.
 */
function sameFiles(release: string, memberCount: number): string[] {
  const wal = join('member/wal', FIRST_WAL_NAME);
  const raftSnapshot = `member/snap/0000000000000001-000000000000000${memberCount}.snap`;
  return release === '3.7' ? [] : release === '3.6' ? [wal] : [wal, raftSnapshot];
}

function entriesOf(dataDir: string, bucket: string): Record<string, string> {
  using file = BoltFile.open(join(dataDir, 'member/snap/db'));
  const entries: Record<string, string> = {};
  const cursor = file.bucket(bucket)?.cursor();
  for (let found = cursor?.first() ?? false; found; found = cursor!.next()) {
    entries[cursor!.key.toString('latin1')] = cursor!.value.toString('latin1');
  }
  return entries;
}

/** The official restore keeps the voters of the old cluster; ours writes those of the new one. */
function without(entries: Record<string, string>, key: string): Record<string, string> {
  return Object.fromEntries(Object.entries(entries).filter(([name]) => name !== key));
}
