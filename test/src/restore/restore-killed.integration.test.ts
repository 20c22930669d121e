import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  BoltFile,
  checkBoltFile,
  checkRaftFiles,
  FIRST_WAL_NAME,
  parseInitialCluster,
  planRestore,
  readInventory,
  readRaftSnapshot,
  readStoreInfo,
  readWal,
  restore,
  type LocalStore,
} from '@etcd-ops/core';
import { etcdVersions, missingBinary, Random, tempDir } from '@etcd-ops/test-kit';
import { expect, test } from 'vitest';
import { CLUSTER } from './recorded-history.ts';
import { recordSnapshots, storeChain } from './recorded-repository.ts';

const SEED = Number(process.env['ETCD_OPS_TEST_SEED'] ?? Date.now() % 2 ** 31);
const ROUNDS = 8;
const CHILD = join(import.meta.dirname, 'restore-child.ts');

test.for(['missing', 'existing'])(
  `a restore that is killed leaves nothing half-done (%s target, seed ${SEED})`,
  async (kind, context) => {
    if (etcdVersions().length === 0) return context.skip(missingBinary('etcd'));
    await using scratch = tempDir();
    const random = new Random(SEED);
    const { store } = await storeChain(scratch.file('bucket'), await recordSnapshots(scratch.file('source')), {
      revisionsEach: 40,
    });
    const wholeMs = await timeOfWholeRun(store, scratch.file('whole'));
    let killed = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const home = scratch.file(`round-${round}`);
      const target = {
        member: 'm1',
        dataDir: join(home, 'data'),
        ...(round % 2 === 0 ? {} : { walDir: join(home, 'wal') }),
      };
      await mkdir(kind === 'existing' ? target.dataDir : home, { recursive: true });
      const finished = await runAndKill(store, target, random.fraction() * wholeMs * 1.2);
      const complete = existsSync(join(target.dataDir, 'member'));
      if (complete) await expectComplete(target);
      if (finished) expect(complete).toBe(true);
      if (!finished) killed++;
      if (complete) continue;
      const plan = planRestore(await readInventory(store, CLUSTER), { kind: 'latest' });
      const initialCluster = parseInitialCluster('m1=http://127.0.0.1:2380');
      await restore({ store, plan, dataDirs: [target], initialCluster, token: 'killed' });
      await expectComplete(target);
      expect((await readdir(home)).filter((name) => name !== 'data' && name !== 'wal')).toEqual([]);
      await rm(home, { recursive: true });
    }
    expect(killed).toBeGreaterThan(0);
  },
);

interface Target {
  member: string;
  dataDir: string;
  walDir?: string;
}

async function timeOfWholeRun(store: LocalStore, dataDir: string): Promise<number> {
  const child = startChild(store, { member: 'm1', dataDir });
  await once(child.stdout, 'data');
  const begin = performance.now();
  await once(child, 'exit');
  return performance.now() - begin;
}

/** Kills the child some time after it began; true when it was done before. */
async function runAndKill(store: LocalStore, target: Target, afterMs: number): Promise<boolean> {
  const child = startChild(store, target);
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const exited = once(child, 'exit');
  await Promise.race([once(child.stdout, 'data'), exited]);
  // The moment of the kill is what this test varies: it waits for nothing.
  await Promise.race([delay(afterMs), exited]);
  child.kill('SIGKILL');
  await exited;
  return output.includes('done');
}

function startChild(store: LocalStore, target: Target) {
  return spawn(process.execPath, [CHILD, store.root, JSON.stringify([target])], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

async function expectComplete({ dataDir, walDir }: Target): Promise<void> {
  const snapDir = join(dataDir, 'member/snap');
  using file = BoltFile.open(join(snapDir, 'db'));
  await checkBoltFile(file);
  expect(readStoreInfo(file).consistentIndex).toBe(1n);
  const wal = readWal(join(walDir ?? join(dataDir, 'member/wal'), FIRST_WAL_NAME));
  checkRaftFiles(wal, readRaftSnapshot(join(snapDir, '0000000000000001-0000000000000001.snap')));
}
