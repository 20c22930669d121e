import { lstat, mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseInitialCluster } from '../datadir/initial-cluster.ts';
import { computeMembership } from '../datadir/membership.ts';
import { FIRST_WAL_NAME } from '../datadir/wal-format.ts';
import { MemberStages } from './member-stages.ts';

const [member] = computeMembership(parseInitialCluster('m=http://a:1'), 't').members;
let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'etcd-ops-members-'));
});
afterEach(async () => {
  await rm(home, { recursive: true });
});

/** The state after a kill between the renames of log and data. */
async function killedBetweenRenames(): Promise<{ dataDir: string; walDir: string; wal: string }> {
  const [dataDir, walDir] = [join(home, 'data'), join(home, 'wal')];
  const wal = join(walDir, FIRST_WAL_NAME);
  await mkdir(walDir);
  await writeFile(wal, 'x');
  const { ino, mtimeMs } = await lstat(wal);
  await mkdir(join(`${dataDir}.part`, 'content'), { recursive: true });
  const note = { walDir, walInode: ino, walModifiedMs: mtimeMs };
  await writeFile(join(`${dataDir}.part`, 'etcd-ops-restore.json'), JSON.stringify({ note }));
  return { dataDir, walDir, wal };
}

test('a log whose data directory never appeared is removed by the next run', async () => {
  const { dataDir, walDir } = await killedBetweenRenames();
  const stages = await MemberStages.prepare([{ member: member!, dataDir, walDir }]);
  expect(await readdir(walDir)).toEqual(['.etcd-ops.part']);
  await stages.discard();
  expect(await readdir(walDir)).toEqual([]);
});

test('a log that was written to since then is kept', async () => {
  const { dataDir, walDir, wal } = await killedBetweenRenames();
  await utimes(wal, 1, 1);
  await expect(MemberStages.prepare([{ member: member!, dataDir, walDir }])).rejects.toMatchObject({
    code: 'TARGET_OCCUPIED',
  });
  expect(await readdir(walDir)).toEqual([FIRST_WAL_NAME]);
});

test('what was prepared for one member goes when another one cannot be', async () => {
  await mkdir(join(home, 'full/member'), { recursive: true });
  const wanted = ['data', 'full'].map((name) => ({ member: member!, dataDir: join(home, name), walDir: undefined }));
  await expect(MemberStages.prepare(wanted)).rejects.toMatchObject({ code: 'TARGET_OCCUPIED' });
  expect(await readdir(home)).toEqual(['full']);
});
