import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkRaftFiles } from './check-raft-files.ts';
import { GOLDEN_CLUSTERS, readGolden } from './golden-clusters.ts';
import { parseInitialCluster } from './initial-cluster.ts';
import { computeMembership, memberByName } from './membership.ts';
import { encodeRaftFiles, writeRaftFiles } from './raft-files.ts';
import { decodeRaftSnapshot, readRaftSnapshot } from './raft-snapshot-reader.ts';
import { FIRST_WAL_NAME, WAL_FILE_BYTES, WalEncoder } from './wal-format.ts';
import { decodeWal, readWal } from './wal-reader.ts';

describe.each(GOLDEN_CLUSTERS)('raft files of $file', ({ file, token, member, initialCluster }) => {
  const membership = computeMembership(parseInitialCluster(initialCluster), token);
  const memberId = memberByName(membership, member).id;

  test.each([
    ['3.4.23', false],
    ['3.5.16', true],
  ] as const)('are byte-identical to those of etcd %s', (version, confStateInWal) => {
    const files = encodeRaftFiles(membership, memberId, { confStateInWal });
    expect(files.wal.toString('hex')).toBe(readGolden(`${file}.${version}.wal-head`).toString('hex'));
    expect(files.snap.equals(readGolden(`${file}.snap`))).toBe(true);
  });

  test('read back as what was written', () => {
    const files = encodeRaftFiles(membership, memberId, { confStateInWal: true });
    const count = membership.members.length;
    const wal = decodeWal(files.wal);
    expect(wal).toMatchObject({ memberId, clusterId: membership.clusterId, hardState: { term: 1, commit: count } });
    expect(wal.entries.map((entry) => [entry.type, entry.term, entry.index])).toEqual(
      membership.members.map((_, index) => [1, 1, index + 1]),
    );
    const snapshot = decodeRaftSnapshot(files.snap);
    expect(snapshot).toEqual({
      index: count,
      term: 1,
      voters: membership.members.map(({ id }) => id),
      members: membership.members.map(({ id, peerUrls }) => ({ id, peerUrls })),
    });
    expect(checkRaftFiles(wal, snapshot).commit).toBe(count);
  });
});

test('files and directories are private, and the segment has its full size', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'etcd-ops-datadir-'));
  try {
    const membership = computeMembership(parseInitialCluster('m=http://a:1'), 't');
    const files = encodeRaftFiles(membership, membership.members[0]!.id, { confStateInWal: true });
    const directories = { snapDir: join(directory, 'data/member/snap'), walDir: join(directory, 'elsewhere/wal') };
    await writeRaftFiles(files, directories);
    const walPath = join(directories.walDir, FIRST_WAL_NAME);
    const snapPath = join(directories.snapDir, files.snapName);
    expect((await stat(walPath)).size).toBe(WAL_FILE_BYTES);
    for (const path of [walPath, snapPath]) expect((await stat(path)).mode & 0o777).toBe(0o600);
    for (const path of [directories.snapDir, directories.walDir]) expect((await stat(path)).mode & 0o777).toBe(0o700);
    expect((await readFile(walPath)).subarray(0, files.wal.length).equals(files.wal)).toBe(true);
    checkRaftFiles(readWal(walPath), readRaftSnapshot(snapPath));
    await expect(writeRaftFiles(files, directories)).rejects.toMatchObject({ code: 'EEXIST' });
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('a segment of any entries reads back', () => {
  const data = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));
  fc.assert(
    fc.property(fc.array(data, { maxLength: 20 }), fc.nat(64), (entries, zeros) => {
      const encoder = new WalEncoder();
      encoder.append(4);
      encoder.append(1, Buffer.from('08011002', 'hex'));
      entries.forEach((entry, index) => {
        // {1: normal, 2: term 1, 3: index, 4: data}
        encoder.append(2, Buffer.concat([Buffer.from([0x08, 0, 0x10, 1, 0x18, index + 1, 0x22, entry.length]), entry]));
      });
      const wal = decodeWal(Buffer.concat([encoder.finish(), Buffer.alloc(zeros)]));
      expect(wal.memberId).toBe(1n);
      expect(wal.entries.map((entry) => entry.data.toString('hex'))).toEqual(
        entries.map((entry) => entry.toString('hex')),
      );
    }),
  );
});
