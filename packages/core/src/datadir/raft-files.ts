import { chmod, mkdir, open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { syncDirectory } from '../base/atomic-file.ts';
import { memberJson, type Membership } from './membership.ts';
import { ProtoWriter } from './proto-writer.ts';
import { encodeConfState, encodeRaftSnapshot, raftSnapshotName } from './raft-snapshot.ts';
import { ENTRY_CONFIG_CHANGE, FIRST_WAL_NAME, WAL_FILE_BYTES, WAL_RECORD_TYPES, WalEncoder } from './wal-format.ts';

/** The raft term of everything that a restore writes. */
export const RESTORED_TERM = 1;

export interface RaftFiles {
  /** The records of the first WAL segment; the rest of its `walFileBytes` is zeros. */
  wal: Buffer;
  walFileBytes: number;
  /** The raft snapshot at the index of the last member's configuration change. */
  snap: Buffer;
  snapName: string;
}

/**
 * The raft log and snapshot of a member of a cluster that begins with these members: byte for byte what `snapshot restore`
 * of etcd writes. Raft's history is one configuration change a member, all committed, and a snapshot behind them.
 */
export function encodeRaftFiles(
  membership: Membership,
  memberId: bigint,
  options: { confStateInWal: boolean },
): RaftFiles {
  const commit = membership.members.length;
  const types = WAL_RECORD_TYPES;
  const wal = new WalEncoder();
  wal.append(types.crc);
  wal.append(types.metadata, new ProtoWriter().varint(1, memberId).varint(2, membership.clusterId).finish());
  wal.append(types.snapshot, new ProtoWriter().varint(1, 0).varint(2, 0).finish());
  membership.members.forEach((member, index) => {
    const change = new ProtoWriter()
      .varint(1, 0)
      .varint(2, 0)
      .varint(3, member.id)
      .bytes(4, Buffer.from(memberJson(member)))
      .finish();
    const entry = new ProtoWriter()
      .varint(1, ENTRY_CONFIG_CHANGE)
      .varint(2, RESTORED_TERM)
      .varint(3, index + 1)
      .bytes(4, change);
    wal.append(types.entry, entry.finish());
  });
  const vote = membership.members[0]!.id;
  wal.append(types.hardState, new ProtoWriter().varint(1, RESTORED_TERM).varint(2, vote).varint(3, commit).finish());
  const snapshot = new ProtoWriter().varint(1, commit).varint(2, RESTORED_TERM);
  // etcd 3.5 reads the voters from here; 3.4 does not know the field.
  if (options.confStateInWal) snapshot.bytes(3, encodeConfState(membership));
  wal.append(types.snapshot, snapshot.finish());
  return {
    wal: wal.finish(),
    walFileBytes: WAL_FILE_BYTES,
    snap: encodeRaftSnapshot(membership, { index: commit, term: RESTORED_TERM }),
    snapName: raftSnapshotName(RESTORED_TERM, commit),
  };
}

/**
 * Writes the WAL segment into `walDir` and the raft snapshot into `snapDir`; makes the directories (0700) when they are
 * missing. Files (0600) and both directories are on disk when it resolves. The tail of the segment is a hole.
 */
export async function writeRaftFiles(
  files: RaftFiles,
  directories: { snapDir: string; walDir: string },
): Promise<void> {
  await makePrivateDirectory(directories.snapDir);
  await makePrivateDirectory(directories.walDir);
  await writeNewFile(join(directories.walDir, FIRST_WAL_NAME), files.wal, files.walFileBytes);
  await writeNewFile(join(directories.snapDir, files.snapName), files.snap, files.snap.length);
  await syncDirectory(directories.walDir);
  await syncDirectory(directories.snapDir);
}

/** Makes a directory and those above it, only for its owner. */
export async function makePrivateDirectory(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
}

async function writeNewFile(path: string, bytes: Buffer, fileBytes: number): Promise<void> {
  const file: FileHandle = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(bytes);
    await file.truncate(fileBytes);
    await file.sync();
  } finally {
    await file.close();
  }
  // The process's umask may have taken more than it should.
  await chmod(path, 0o600);
}
