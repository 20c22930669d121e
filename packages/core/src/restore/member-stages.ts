import { lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { syncDirectory } from '../base/atomic-file.ts';
import { makePrivateDirectory } from '../datadir/raft-files.ts';
import { FIRST_WAL_NAME } from '../datadir/wal-format.ts';
import type { Member } from '../datadir/membership.ts';
import { describeError } from '../base/errors.ts';
import { StagedDirectory, type StageMarker } from './staged-directory.ts';

/** The directories of one member while they are built. */
export interface MemberStage {
  member: Member;
  data: StagedDirectory;
  /** When the write-ahead log lives elsewhere. */
  wal: StagedDirectory | undefined;
  snapDir: string;
  walDir: string;
  databasePath: string;
}

/**
 * The directories of all members of a restore: nothing of them is visible before `publish`, and nothing stays of them when
 * `discard` is called. What an earlier, killed restore left at the same places is removed first.
 */
export class MemberStages {
  readonly members: readonly MemberStage[];

  private constructor(members: readonly MemberStage[]) {
    this.members = members;
  }

  /** @throws EtcdOpsError TARGET_OCCUPIED */
  static async prepare(
    wanted: readonly { member: Member; dataDir: string; walDir: string | undefined }[],
  ): Promise<MemberStages> {
    const members: MemberStage[] = [];
    try {
      for (const { member, dataDir, walDir } of wanted) {
        const data = await StagedDirectory.prepare(dataDir, (marker) => removeUnusedWal(marker, walDir));
        const stage = { member, data, snapDir: join(data.content, 'member', 'snap') };
        const databasePath = join(stage.snapDir, 'db');
        members.push({ ...stage, databasePath, wal: undefined, walDir: join(data.content, 'member', 'wal') });
        if (walDir !== undefined) {
          const wal = await StagedDirectory.prepare(walDir);
          members[members.length - 1] = { ...stage, databasePath, wal, walDir: wal.content };
        }
        await makePrivateDirectory(stage.snapDir);
      }
      return new MemberStages(members);
    } catch (error) {
      await new MemberStages(members).discard();
      throw error;
    }
  }

  /**
   * Makes every directory appear. The log goes before the data: a data directory without its log would boot as a new member.
   * Files must be on disk; the directories between them are synced here.
   */
  async publish(): Promise<void> {
    for (const { data, wal, snapDir, walDir } of this.members) {
      const directories = [snapDir, join(data.content, 'member'), data.content, walDir];
      for (const directory of directories) await syncDirectory(directory);
      if (wal === undefined) continue;
      // Should this process be killed between the two, the next run knows the log by this and removes it.
      const { ino, mtimeMs } = await lstat(join(walDir, FIRST_WAL_NAME));
      await data.note({ walDir: wal.target, walInode: ino, walModifiedMs: mtimeMs });
      await wal.publish();
    }
    for (const { data } of this.members) await data.publish();
  }

  /** Removes the working directories of published members; returns what could not be removed. */
  async close(): Promise<string[]> {
    const warnings: string[] = [];
    for (const { data, wal } of this.members) {
      for (const stage of wal === undefined ? [data] : [data, wal]) {
        await stage
          .close()
          .catch((error: unknown) =>
            warnings.push(`Beside ${stage.target} something was left: ${describeError(error)}`),
          );
      }
    }
    return warnings;
  }

  /** Removes everything, published directories too. */
  async discard(): Promise<void> {
    for (const { data, wal } of this.members.toReversed()) {
      await data.discard();
      await wal?.discard();
    }
  }
}

/** Removes a log that was published although its data directory never was: nobody can have used it. */
async function removeUnusedWal(marker: Partial<StageMarker>, walDir: string | undefined): Promise<void> {
  const note = marker.note;
  if (walDir === undefined || note?.['walDir'] !== walDir) return;
  const entries = await readdir(walDir).catch(() => []);
  const path = join(walDir, FIRST_WAL_NAME);
  const found = await lstat(path).catch(() => undefined);
  const unused = found !== undefined && found.ino === note['walInode'] && found.mtimeMs === note['walModifiedMs'];
  if (unused && entries.filter((name) => name !== '.etcd-ops.part' && name !== 'lost+found').length === 1) {
    await rm(path);
  }
}
