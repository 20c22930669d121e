import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { EtcdCluster, EtcdMember, openEtcd3, type EtcdAuth } from '@etcd-ops/etcd-client';
import {
  distinctEtcdVersions,
  etcdVersions,
  eventually,
  HARD_LOAD_FLAGS,
  hardLoad,
  missingBinary,
  startEtcd,
  tempDir,
} from '@etcd-ops/test-kit';
import { compactBehind } from './compact-behind.ts';
import { differences, readFileRows } from './file-rows.ts';
import { SteadyWatch } from './steady-watch.ts';

const ROOT: EtcdAuth = { username: 'root', password: 'geheim' };
const READER: EtcdAuth = { username: 'reader', password: 'nur-lesen' };
/** Compactions are made apart: one that overtakes a watch would be a gap, which is another matter. */
const ROUNDS_MAX = 60;
const ROUND_PAUSE_MS = 100;
const LOAD = { writers: 8, valueBytesMax: 400_000, txnOpsMax: 2_000, without: ['compact'] } as const;
/** etcd keeps so many entries for slow followers (SnapshotCatchUpEntries): one that lacks more gets a raft snapshot. */
const CATCH_UP_ENTRIES = 5_000;

test('there are etcds to compare with', (context) => {
  if (etcdVersions().length === 0) context.skip(missingBinary('etcd'));
});

describe.each(distinctEtcdVersions())(
  'rows from the watch are those of the file, byte for byte, on etcd %s',
  (version) => {
    test('on a follower, with auth, fragments, cuts and compactions', { timeout: 90_000 }, async () => {
      await using dir = tempDir();
      await using etcd = await startEtcd({ version, members: 3, extraFlags: HARD_LOAD_FLAGS });
      await etcd.etcdctl('user', 'add', 'root:geheim');
      await etcd.etcdctl('user', 'grant-role', 'root', 'root');
      await etcd.etcdctl('role', 'add', 'reader');
      await etcd.etcdctl('role', 'grant-permission', 'reader', 'read', '', '--from-key=true');
      await etcd.etcdctl('user', 'add', 'reader:nur-lesen');
      await etcd.etcdctl('user', 'grant-role', 'reader', 'reader');
      await etcd.etcdctl('auth', 'enable');
      const access = { endpoints: etcd.endpoints, auth: READER, maintenanceAuth: ROOT };
      await using cluster = await EtcdCluster.connect(access);
      const { leader, follower } = await rolesOf(cluster);

      await using plain = new SteadyWatch(follower);
      await using fragmented = new SteadyWatch(follower, { fragment: true });
      await using cut = new SteadyWatch(follower, { cut: { seed: 7, meanBatches: 40 } });
      using root = new EtcdMember(leader.endpoint, { endpoints: [], auth: ROOT });
      await using compacting = compactBehind(root, [plain, fragmented, cut]);
      await hardLoad({
        ...LOAD,
        endpoints: etcd.endpoints,
        seed: 11,
        operations: 700,
        client: { auth: { username: 'root', password: 'geheim' } },
      });
      const client = { auth: { username: 'root', password: 'geheim' } };
      const more = { ...LOAD, endpoints: etcd.endpoints, operations: 30, client };
      await writeUntil(
        () => compacting.count > 3,
        (round) => hardLoad({ ...more, seed: 100 + round }),
      );
      for (const member of [leader, follower]) {
        const file = await readFileRows(member, dir.file(`${member === leader ? 'leader' : 'follower'}.db`));
        expect(file.compactRevision).toBeGreaterThan(0);
        for (const watch of [plain, fragmented, cut]) {
          await watch.reached(file.revision);
          expect(differences(watch.rows, file)).toEqual([]);
        }
      }
      expect(cut.reopened).toBeGreaterThan(0);
      expect(plain.reopened + fragmented.reopened).toBe(0);
      // The load left rows of every kind.
      expect(plain.rows.rows.size).toBeGreaterThan(5_000);
    });

    test('on a follower that was stopped and gets a raft snapshot', { timeout: 90_000 }, async () => {
      await using dir = tempDir();
      const extraFlags = [...HARD_LOAD_FLAGS, '--snapshot-count=100'];
      await using etcd = await startEtcd({ version, members: 3, extraFlags });
      await using cluster = await EtcdCluster.connect({ endpoints: etcd.endpoints });
      const { leader, follower } = await rolesOf(cluster);
      const process = etcd.members.find(({ endpoint }) => endpoint === follower.endpoint)!;
      const endpoints = etcd.endpoints.filter((endpoint) => endpoint !== follower.endpoint);
      await using onFollower = new SteadyWatch(follower);
      await using onLeader = new SteadyWatch(leader);
      await using compacting = compactBehind(leader, [onFollower, onLeader]);
      await hardLoad({ ...LOAD, endpoints, seed: 5, operations: 150 });
      process.signal('SIGSTOP');
      try {
        await manyEntries(endpoints, CATCH_UP_ENTRIES + 1_000);
        await hardLoad({ ...LOAD, endpoints, seed: 6, operations: 150 });
      } finally {
        process.signal('SIGCONT');
      }
      await eventually(
        () => /applied snapshot/i.test(process.log()) || /received and saved database snapshot/i.test(process.log()),
        {
          timeoutMs: 30_000,
        },
      );
      await hardLoad({ ...LOAD, endpoints, seed: 8, operations: 100 });
      await follower.linearizableRead();
      await writeUntil(
        () => compacting.count > 1,
        () => manyEntries(endpoints, 50),
      );
      for (const [name, member] of [
        ['leader', leader],
        ['follower', follower],
      ] as const) {
        const file = await readFileRows(member, dir.file(`${name}.db`));
        for (const watch of [onFollower, onLeader]) {
          await watch.reached(file.revision);
          expect(differences(watch.rows, file)).toEqual([]);
        }
      }
    });
  },
);

async function rolesOf(cluster: EtcdCluster): Promise<{ leader: EtcdMember; follower: EtcdMember }> {
  const members = await Promise.all(
    cluster.members().map(async (member) => ({ member, status: await member.status() })),
  );
  const follower = await cluster.pickForSnapshot();
  return { leader: members.find(({ status }) => status.isLeader)!.member, follower };
}

/** Compactions follow what the watches have seen, by the clock: on a quick machine more writes are needed until there were some. */
async function writeUntil(done: () => boolean, write: (round: number) => Promise<unknown>): Promise<void> {
  for (let round = 0; !done(); round++) {
    if (round === ROUNDS_MAX) throw new Error(`It did not come about in ${ROUNDS_MAX} rounds of writes`);
    await write(round);
    await delay(ROUND_PAUSE_MS);
  }
}

/** Small writes, each an entry of the raft log. */
async function manyEntries(endpoints: readonly string[], count: number): Promise<void> {
  const client = await openEtcd3({ endpoints: [...endpoints] });
  let next = 0;
  const writer = async () => {
    while (next < count) await client.put(`entry/${next++ % 500}`).value('v');
  };
  await Promise.all(Array.from({ length: 64 }, writer));
  client.close();
}
