import { join } from 'node:path';
import { mkdir, rm } from 'node:fs/promises';
import { BoltFile } from '../bolt/bolt-file.ts';
import { BoltWriter } from '../bolt/bolt-writer.ts';
import { EtcdOpsError, isEtcdOpsError } from '../base/errors.ts';
import { encodeRaftFiles, writeRaftFiles } from '../datadir/raft-files.ts';
import { hashKV } from '../mvcc/hash-kv.ts';
import { checkDatabase, readFullFacts, writeRows, writeStoreBuckets } from './build-database.ts';
import { cloneOrCopy, syncFile } from './clone-file.ts';
import { blaming } from './damaged-object.ts';
import { fetchFull } from './fetch-full.ts';
import { MemberStages } from './member-stages.ts';
import {
  settleOptions,
  type RestoreOptions,
  type RestorePhase,
  type RestoreReport,
  type RestoreSettings,
} from './restore-options.ts';

/**
 * Restores a plan into data directories that etcd boots from. No etcd takes part: rows are appended to the database file.
 *
 * Each directory appears whole and durable, or not at all; a target that holds data is refused. Memory is bounded
 * (about 100 MB) whatever the size of the database.
 *
 * @throws EtcdOpsError USAGE, TARGET_OCCUPIED, DISK_FAILED, CANCELLED, what the store throws, and DamagedObjectError naming
 *   an object that must not be used: plan again without it (restoreAround does).
 */
export async function restore(options: RestoreOptions): Promise<RestoreReport> {
  const settings = settleOptions(options);
  const phases = new Phases(options);
  let stages: MemberStages | undefined;
  try {
    stages = await MemberStages.prepare(settings.members);
    const report = await buildMembers(stages, options, settings, phases);
    await phases.run('publish', 0, () => stages!.publish());
    report.warnings.push(...(await stages.close()));
    return { ...report, phaseMs: phases.elapsedMs };
  } catch (error) {
    await stages?.discard();
    throw asRestoreError(error, options.signal);
  }
}

async function buildMembers(
  stages: MemberStages,
  options: RestoreOptions,
  settings: RestoreSettings,
  phases: Phases,
): Promise<Omit<RestoreReport, 'phaseMs'>> {
  const { plan, store, identities, signal } = options;
  const { full, deltas } = plan;
  const { verify, skipHashCheck } = settings;
  const first = stages.members[0]!;
  const path = first.databasePath;
  const spoolDir = join(first.data.content, 'spool');
  await mkdir(spoolDir, { mode: 0o700 });

  // 1. The full becomes the database file, its hashes checked, etcd's trailing hash cut off.
  const fetched = await phases.run('full', full.manifest.storedBytes, (onBytes) =>
    fetchFull({ store, full, path, verify, skipHashCheck, identities, signal, onBytes }),
  );
  // Most of the file does not change any more: the disk may begin with it while rows are appended.
  const syncing = settled(syncFile(path));
  const facts = await readFullFacts(path, options);

  // 2. Rows above the wanted revision are cut, or the deltas' rows go to the right edge of the bucket `key`.
  using writer = await blaming(full.key, async () => BoltWriter.open(path, { writeBehind: true }));
  const deltaBytes = deltas.reduce((sum, { bytes }) => sum + bytes, 0);
  const appended = await phases.run('rows', deltaBytes, (onBytes) =>
    writeRows(writer, facts, options, { settings, spoolDir, onBytes }),
  );

  // 3. Leases that watches never told, and the membership of the new cluster.
  const { leases, warnings } = await phases.run('leases', 0, () =>
    blaming(full.key, () => writeStoreBuckets(writer, facts, appended, options, settings)),
  );

  // 4. The new root counts from here on. The file is read back and synced.
  const databaseBytes = await phases.run('finish', 0, async () => {
    await writer.commitAsync({ sync: false });
    const bytes = checkDatabase(path, facts, options, settings);
    await syncing;
    await syncFile(path);
    await rm(spoolDir, { recursive: true });
    return bytes;
  });

  // 5. Every member gets the same database; only its raft log says who it is.
  await phases.run('members', databaseBytes * (stages.members.length - 1), (onBytes) =>
    writeMembers(stages, settings, { signal, onBytes, databaseBytes }),
  );
  const hash = options.hashKv === true ? await hashOf(path, signal) : undefined;
  return {
    cluster: plan.cluster,
    timeline: plan.timeline,
    revision: plan.revision,
    ...(plan.latestObservedMs === undefined ? {} : { latestObservedMs: plan.latestObservedMs }),
    compactRevision: settings.bumpedRevision ?? facts.info.compactRevision,
    target: settings.target,
    clusterId: settings.membership.clusterId,
    members: stages.members.map(({ member, data, wal }) => ({
      name: member.name,
      id: member.id,
      dataDir: data.target,
      walDir: wal?.target ?? join(data.target, 'member', 'wal'),
    })),
    full: { key: full.key, method: fetched.method, cut: plan.cutFull },
    deltas: deltas.length,
    rowsAppended: appended.rows,
    rowBytesAppended: appended.rowBytes,
    bytesFetched: full.manifest.storedBytes + deltaBytes,
    databaseBytes,
    leases: { kept: leases.kept, fromDeltas: leases.fromDeltas, unknown: leases.unknown },
    ...(hash === undefined ? {} : { hashKv: hash }),
    ...bumpOf(options, settings),
    warnings: [...plan.warnings, ...warnings],
  };
}

async function writeMembers(
  stages: MemberStages,
  settings: RestoreSettings,
  options: { signal: AbortSignal | undefined; onBytes: (bytes: number) => void; databaseBytes: number },
): Promise<void> {
  const { membership, target } = settings;
  const source = stages.members[0]!.databasePath;
  for (const [position, { member, databasePath, snapDir, walDir }] of stages.members.entries()) {
    if (databasePath !== source) {
      await cloneOrCopy(source, databasePath, options.signal);
      await syncFile(databasePath);
    }
    await writeRaftFiles(encodeRaftFiles(membership, member.id, { confStateInWal: target !== '3.4' }), {
      snapDir,
      walDir,
    });
    options.onBytes(position * options.databaseBytes);
    options.signal?.throwIfAborted();
  }
}

function bumpOf({ plan }: RestoreOptions, { bumpedRevision }: RestoreSettings): Pick<RestoreReport, 'bumped'> {
  if (bumpedRevision === undefined) return {};
  return { bumped: { by: bumpedRevision - plan.revision, revision: bumpedRevision } };
}

async function hashOf(path: string, signal: AbortSignal | undefined): Promise<NonNullable<RestoreReport['hashKv']>> {
  using file = BoltFile.open(path);
  return await hashKV(file, { signal });
}

/** Tells the caller where the restore is, and how long each phase took. */
class Phases {
  readonly elapsedMs: Record<RestorePhase, number> = { full: 0, rows: 0, leases: 0, finish: 0, members: 0, publish: 0 };
  readonly #options: RestoreOptions;

  constructor(options: RestoreOptions) {
    this.#options = options;
  }

  async run<Result>(
    phase: RestorePhase,
    bytesTotal: number,
    work: (onBytes: (bytes: number) => void) => Promise<Result>,
  ): Promise<Result> {
    const { signal, onProgress } = this.#options;
    signal?.throwIfAborted();
    const begin = performance.now();
    onProgress?.(phase, 0, bytesTotal);
    const result = await work((bytes) => onProgress?.(phase, bytes, bytesTotal));
    onProgress?.(phase, bytesTotal, bytesTotal);
    this.elapsedMs[phase] = Math.round(performance.now() - begin);
    return result;
  }
}

/** Keeps a promise for later: its error is thrown when the result is awaited, and is no unhandled one until then. */
function settled(work: Promise<void>): Promise<void> {
  work.catch(() => undefined);
  return work;
}

function asRestoreError(error: unknown, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted === true) {
    return new EtcdOpsError('CANCELLED', {
      message: 'The restore was cancelled; nothing was left behind',
      cause: error,
    });
  }
  if (isEtcdOpsError(error) || !(error instanceof Error) || !('syscall' in error)) return error;
  return new EtcdOpsError('DISK_FAILED', {
    message: 'The restore could not write its directory; nothing was left behind',
    cause: error,
  });
}
