import { statSync } from 'node:fs';
import { rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  describeError,
  ERROR_CODES,
  EtcdOpsError,
  headOf,
  inspectDataDir,
  isEtcdOpsError,
  moveAside,
  planRestore,
  planRestoreFrom,
  restoreAround,
  type DataDirState,
  type EtcdTarget,
  type ForeignRepository,
  type Inventory,
  type MovedAside,
  type ObjectStore,
  type RestoreAroundReport,
  type RestoreTarget,
} from '@etcd-ops/core';
import { adoptRepository } from '../layouts/adopted-repository.ts';
import { readLayout, type ReadLayout } from '../layouts/read-layout.ts';
import type { AdoptingOptions } from '../options/layout-options.ts';
import { identitiesOf, type IdentityOptions } from '../options/packing-options.ts';
import type { RepositoryOptions } from '../options/repository-options.ts';
import { cancelOnSignal } from '../output/cancel-on-signal.ts';
import { confirm } from '../output/confirm.ts';
import { ProgressLine, type ProgressMode } from '../output/progress-line.ts';
import { planMemberDirectories, type MemberPlan } from '../restore/member-directories.ts';
import { giveTo, parseOwner, type Owner } from '../restore/owner.ts';
import { decide, type Decision, type NewestBackup } from './decide.ts';
import { emitEnsured } from './report.ts';
import { knownClusters } from './known-cluster.ts';
import { livingPeers } from './living-peers.ts';

/** The store is away, or what lies in it is damaged. */
const BACKUP_EXIT_CODES: readonly number[] = [ERROR_CODES.STORE_FAILED.exit, ERROR_CODES.OBJECT_DAMAGED.exit];

export interface EnsureOptions extends RepositoryOptions, AdoptingOptions, IdentityOptions {
  dataDir?: string;
  walDir?: string;
  name: string;
  initialCluster: string;
  initialClusterToken: string;
  initialAdvertisePeerUrls?: string[];
  target?: EtcdTarget;
  owner?: string;
  quick: boolean;
  allowNew: boolean;
  allowOlder: boolean;
  allMembersLost: boolean;
  check: boolean;
  yes: boolean;
  output: 'table' | 'json';
  progress?: ProgressMode;
}

export interface Ensured {
  action: 'left' | 'restored' | 'new';
  dataDir: string;
  /** What was found. */
  state: DataDirState;
  reason?: string;
  movedTo: string[];
  report?: RestoreAroundReport;
  warnings: string[];
}

/** Before etcd starts: a sound data directory is left alone, a missing or broken one restored, anybody else's refused. */
export async function runEnsure(options: EnsureOptions): Promise<void> {
  const owner = options.owner === undefined ? undefined : parseOwner(options.owner);
  const members = planMemberDirectories(options);
  const { dataDir, walDir } = members.members[0]!;
  using cancel = cancelOnSignal();
  const { signal } = cancel;
  const look = { dataDir, walDir, checkPages: !options.quick, signal };
  let repository: Repository;
  try {
    repository = await readRepository(options, signal);
  } catch (error) {
    return emitEnsured(withoutBackups(error, await inspectDataDir(look), dataDir), options.output);
  }
  const { store, inventory, foreign, backup } = repository;
  const state = await inspectDataDir({ ...look, digestOf: backup?.plan.revision });
  const decision = decide(state, backup, knownClusters(inventory, members));
  const context = { options, members, store, inventory, foreign, signal, owner };
  emitEnsured(await carryOut(decision, state, context), options.output);
}

/** A store that is away, or damaged backups, must not keep a sound etcd from starting; for everything else they are needed. */
function withoutBackups(error: unknown, state: DataDirState, dataDir: string): Ensured {
  const isOfBackups = isEtcdOpsError(error) && BACKUP_EXIT_CODES.includes(error.exitCode);
  if (!isOfBackups || state.kind !== 'healthy') throw error;
  const warning = `The backups could not be read, so neither cluster nor revision were compared: ${describeError(error)}`;
  return { action: 'left', dataDir, state, movedTo: [], warnings: [...state.warnings, warning] };
}

interface Repository extends ReadLayout {
  backup: NewestBackup | undefined;
}

async function readRepository(options: EnsureOptions, signal: AbortSignal): Promise<Repository> {
  const read = await readLayout(options, signal);
  const { store, inventory, foreign } = read;
  if (foreign === undefined) return { ...read, backup: await newestBackup(store, inventory, signal) };
  // Names tell how far the backups go; a start of etcd is no reason to read them all.
  return { ...read, backup: { plan: planRestore(inventory, { kind: 'latest' }, { allowOlder: true }), digest: null } };
}

interface Context {
  options: EnsureOptions;
  members: MemberPlan;
  store: ObjectStore;
  inventory: Inventory;
  foreign: ForeignRepository | undefined;
  signal: AbortSignal;
  owner: Owner | undefined;
}

async function newestBackup(
  store: ObjectStore,
  inventory: Inventory,
  signal: AbortSignal,
): Promise<NewestBackup | undefined> {
  try {
    // A sound etcd may start whatever the backups lack; `restoreInto` looks again.
    const plan = await planRestoreFrom(store, inventory, { kind: 'latest' }, { signal, allowOlder: true });
    const head = await headOf(store, inventory, { signal });
    const isSame = head?.timeline === plan.timeline && head.revision === plan.revision;
    return { plan, digest: isSame ? head.digest : null };
  } catch (error) {
    if (isEtcdOpsError(error, 'NO_BACKUP')) return undefined;
    throw error;
  }
}

async function carryOut(decision: Decision, state: DataDirState, context: Context): Promise<Ensured> {
  const { dataDir } = context.members.members[0]!;
  switch (decision.action) {
    case 'leave':
      return { action: 'left', dataDir, state, movedTo: [], warnings: decision.warnings };
    case 'refuse':
      throw new EtcdOpsError(decision.code, {
        message: decision.reason.startsWith(dataDir) ? decision.reason : `${dataDir}: ${decision.reason}`,
        facts: { path: dataDir },
        ...(decision.code === 'DATA_DIR_BROKEN'
          ? { remedy: 'There is no backup to restore from: check --bucket and --cluster-name; nothing was touched.' }
          : {}),
      });
    case 'begin':
      return begin(dataDir, state, context);
    case 'restore':
      return await restoreInto(decision, state, context);
  }
}

function begin(dataDir: string, state: DataDirState, { options, store }: Context): Ensured {
  if (options.allowNew) {
    const warnings = ['There is no backup: etcd begins a new, empty cluster'];
    return { action: 'new', dataDir, state, movedTo: [], warnings };
  }
  throw new EtcdOpsError('NO_BACKUP', {
    message: `${dataDir} holds no data, and ${store.description} no backup of ${options.clusterName}`,
    remedy: 'Check --bucket and --cluster-name; for the first start of a new cluster give --allow-new.',
  });
}

async function restoreInto(
  decision: Extract<Decision, { action: 'restore' }>,
  state: DataDirState,
  context: Context,
): Promise<Ensured> {
  const { options, members, signal } = context;
  const { dataDir, walDir } = members.members[0]!;
  const { reason } = decision;
  // Less than was captured is nothing to restore unasked: before anything is touched, and for --check, too.
  const { warnings } = planRestore(context.inventory, { kind: 'latest' }, { allowOlder: options.allowOlder });
  if (options.check) {
    throw new EtcdOpsError('DATA_DIR_BROKEN', { message: `${dataDir} would be restored: ${reason}` });
  }
  await refuseBesideLivingPeers(reason, context);
  const previousOwner = ownerOf(dataDir);
  // An etcd that was stopped while it began leaves nothing but this.
  if (state.kind === 'missing') await rmdir(join(dataDir, 'member')).catch(() => undefined);
  const moved: MovedAside[] = [];
  if (decision.moveAside) {
    await confirm({
      what: `${dataDir}: ${reason}. It is moved aside, and the newest backup restored.`,
      yes: options.yes,
    });
    const stamp = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '');
    moved.push(...(await moveBoth({ dataDir, walDir, stamp })));
  }
  try {
    const report = await restoreLatest(context);
    const owner = context.owner ?? previousOwner;
    if (owner !== undefined) {
      await giveTo(owner, dataDir);
      if (walDir !== undefined) await giveTo(owner, walDir);
    }
    const movedTo = moved.map(({ to }) => to);
    const known = [...new Set([...warnings, ...report.warnings])];
    return { action: 'restored', dataDir, state, reason, movedTo, report, warnings: known };
  } catch (error) {
    // What was there, however broken, is put back where it was: a failed restore changes nothing.
    for (const one of moved.toReversed()) await one.undo();
    if (signal.aborted) throw new EtcdOpsError('CANCELLED', { message: 'Nothing was changed', cause: error });
    throw error;
  }
}

async function moveBoth(paths: { dataDir: string; walDir: string | undefined; stamp: string }): Promise<MovedAside[]> {
  const { dataDir, walDir, stamp } = paths;
  const moved: MovedAside[] = [];
  try {
    if (hasEntries(dataDir)) moved.push(await moveAside(dataDir, { what: 'member', stamp }));
    if (walDir !== undefined && hasEntries(walDir)) moved.push(await moveAside(walDir, { what: 'wal', stamp }));
    return moved;
  } catch (error) {
    for (const one of moved.toReversed()) await one.undo();
    throw new EtcdOpsError('DISK_FAILED', { message: `${dataDir} could not be moved aside`, cause: error });
  }
}

async function restoreLatest(context: Context): Promise<RestoreAroundReport> {
  const { options, store, foreign, signal } = context;
  if (foreign === undefined) return await restoreNative(context, { kind: 'latest' });
  const { tempDir, progress = 'auto' } = options;
  const scope = { kind: 'latest' as const };
  await using adopted = await adoptRepository(store, foreign, { scope, tempDir, progress, signal });
  const { inventory, target, damaged } = adopted;
  const report = await restoreNative({ ...context, store: adopted.store, inventory }, target);
  const around = damaged.map(({ key, problem }) => `${key} is damaged and was not used: ${problem}`);
  const full = { ...report.full, key: adopted.foreignKeyOf(report.full.key) };
  return { ...report, full, warnings: [...around, ...report.warnings], damaged };
}

async function restoreNative(
  { options, members, store, inventory, signal }: Context,
  restoreTo: RestoreTarget,
): Promise<RestoreAroundReport> {
  const progress = new ProgressLine(process.stderr, options.progress);
  try {
    return await restoreAround({
      store,
      inventory,
      restoreTo,
      allowOlder: options.allowOlder,
      dataDirs: members.members,
      initialCluster: members.initialCluster,
      token: members.token,
      identities: await identitiesOf(options),
      target: options.target,
      signal,
      onProgress: (phase, done, total) => progress.update(phase, done, total),
    });
  } finally {
    progress.clear();
  }
}

/** A member that is restored alone comes with the ids of before and without the log that the others have agreed on: they would diverge. */
async function refuseBesideLivingPeers(reason: string, { options, members }: Context): Promise<void> {
  if (options.allMembersLost || members.initialCluster.length === 1) return;
  const living = await livingPeers(members.initialCluster, options.name);
  if (living.length === 0) return;
  throw new EtcdOpsError('TARGET_REFUSED', {
    message: `${members.members[0]!.dataDir}: ${reason}; but other members answer at ${living.join(', ')}`,
    remedy: `If the cluster lives, replace this member: etcdctl member remove, member add, an empty directory and --initial-cluster-state=existing. If all members are being restored, give --all-members-lost.`,
  });
}

/** The owner of the directory that is replaced is the owner of its successor, where this process may decide that. */
function ownerOf(dataDir: string): Owner | undefined {
  if (process.geteuid?.() !== 0) return undefined;
  const facts =
    statSync(join(dataDir, 'member'), { throwIfNoEntry: false }) ?? statSync(dataDir, { throwIfNoEntry: false });
  return facts === undefined || facts.uid === 0 ? undefined : { uid: facts.uid, gid: facts.gid };
}

function hasEntries(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
