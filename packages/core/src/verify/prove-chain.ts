import { randomUUID } from 'node:crypto';
import { mkdir, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { describeError, EtcdOpsError } from '../base/errors.ts';
import { BoltFile } from '../bolt/bolt-file.ts';
import { checkBoltFile } from '../bolt/check.ts';
import type { Identities } from '../encryption/identities.ts';
import { targetOfVersion } from '../datadir/store-buckets.ts';
import { isOfCluster } from '../repository/full-origin.ts';
import type { FullEntry, TimelineInventory } from '../repository/inventory.ts';
import { planRestore, type RestorePlan } from '../repository/plan-restore.ts';
import type { ProofComparison, ProofRecord } from '../repository/proof-record.ts';
import { DamagedObjectError } from '../restore/damaged-object.ts';
import { fetchFull } from '../restore/fetch-full.ts';
import type { RestoreReport } from '../restore/restore-options.ts';
import { restore } from '../restore/restore.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { compareHash, hashOfFull, unusableReason, type ExpectedHash } from './hash-comparison.ts';
import { wasRemovedMeanwhile } from './removed-meanwhile.ts';
import { isUnreadableHere } from './unreadable.ts';

export interface ProveChainOptions {
  store: ObjectStore;
  timeline: TimelineInventory;
  /** What opens encrypted objects; without it they are not read here. */
  identities?: Identities | undefined;
  /** What the chain begins with. */
  full: FullEntry;
  /** The last revision to rebuild: S of the full, or one that its deltas reach. */
  to: number;
  /** Later fulls of the cluster: each gives its own HashKV. Those that do not apply are reported as unusable. */
  fulls?: readonly FullEntry[];
  /** What the living cluster gave. */
  witnesses?: readonly ExpectedHash[];
  /** A directory of its own is made in it, and removed. */
  scratchDir: string;
  /** More than this is not written there; the free space bounds it as well. */
  scratchBytesMax?: number | undefined;
  worker?: string | undefined;
  now?: () => number;
  signal?: AbortSignal | undefined;
  onProgress?: ((phase: string, bytesDone: number, bytesTotal: number) => void) | undefined;
}

/** A member that never runs: HashKV counts rows alone. */
const MEMBER = 'proof';
const CLUSTER = [{ name: MEMBER, peerUrls: ['http://localhost:2380'] }];
/** Left free on the scratch disk: other things live there. */
const SPACE_LEFT_MIN = 64 * 1024 * 1024;

/**
 * The chain proof: restores a full and its deltas in scratch space as an operator would, checks the structure of what came of it, and
 * holds its HashKV against those of later fulls and of witnesses. What differs, or cannot be restored, is the record's verdict and no
 * error; what cannot be read here is `open`. Disk: the database, or the largest full to compare with if that is larger.
 * @throws EtcdOpsError LIMIT_EXCEEDED and DISK_FAILED about the scratch space, STORE_FAILED, CANCELLED.
 */
export async function proveChain(options: ProveChainOptions): Promise<ProofRecord> {
  const { full, to, scratchDir, now = Date.now } = options;
  const beganMs = now();
  const plan = planOfChain(options);
  const scratch = join(scratchDir, `proof-${process.pid}-${randomUUID()}`);
  await makeScratch(scratch, plan, options);
  let proven: ChainOutcome;
  try {
    proven = await rebuildAndCompare(plan, scratch, options);
  } catch (error) {
    proven = await outcomeOfFailure(error, options);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  const { report, restoreMs, ...outcome } = proven;
  return {
    version: 1,
    kind: 'proof',
    proof: 'chain',
    cluster: full.manifest.cluster,
    timeline: full.timeline,
    full: full.key,
    from: Math.max(1, full.manifest.compactRevision),
    to,
    ...outcome,
    provedAt: new Date(now()).toISOString(),
    durationMs: Math.max(0, Math.round(now() - beganMs)),
    deltas: plan.deltas.length,
    rows: report?.rowsAppended ?? 0,
    rowBytes: report?.rowBytesAppended ?? 0,
    ...(restoreMs === undefined ? {} : { restoreMs }),
    ...(report === undefined ? {} : { bytesFetched: report.bytesFetched, databaseBytes: report.databaseBytes }),
    ...(options.worker === undefined ? {} : { worker: options.worker }),
  };
}

type ChainOutcome = Pick<ProofRecord, 'verdict' | 'problem' | 'comparisons' | 'provenTo'> & {
  report?: RestoreReport;
  restoreMs?: number;
};

/** From this full, whatever other one would be nearer. */
function planOfChain({ timeline, full, to }: ProveChainOptions): RestorePlan {
  const { cluster } = full.manifest;
  const alone = { ...timeline, fulls: [full] };
  const inventory = { cluster, timelines: [alone], foreign: [], incomplete: [], damaged: [] };
  return planRestore(inventory, { kind: 'revision', revision: to, timeline: timeline.timeline });
}

async function rebuildAndCompare(
  plan: RestorePlan,
  scratch: string,
  options: ProveChainOptions,
): Promise<ChainOutcome> {
  const { store, full, to, identities, signal, onProgress } = options;
  // Before the chain is rebuilt: their files are gone again by then.
  const { usable, unusable } = await expectedHashes(scratch, options);
  const dataDir = join(scratch, 'restored');
  const beganMs = performance.now();
  const report = await restore({
    store,
    plan,
    identities,
    dataDirs: [{ member: MEMBER, dataDir }],
    initialCluster: CLUSTER,
    token: 'etcd-ops-proof',
    target: targetOfVersion(full.manifest.etcdVersion) ?? '3.5',
    signal,
    onProgress: (phase, done, total) => onProgress?.(phase, done, total),
  });
  const restoreMs = Math.round(performance.now() - beganMs);
  using file = BoltFile.open(join(dataDir, 'member', 'snap', 'db'));
  await checkBoltFile(file, { signal });
  const comparisons = [...unusable];
  for (const [index, expected] of usable.entries()) {
    onProgress?.('hash', index, usable.length);
    comparisons.push(await compareHash(file, expected, signal));
  }
  return { ...judge(comparisons, to), comparisons, report, restoreMs };
}

/** The hashes that the chain is held against; what cannot apply is not even read. */
async function expectedHashes(
  scratch: string,
  options: ProveChainOptions,
): Promise<{ usable: ExpectedHash[]; unusable: ProofComparison[] }> {
  const { full, to, fulls = [], witnesses = [] } = options;
  const chain = { compactRevision: full.manifest.compactRevision, to };
  const usable: ExpectedHash[] = [];
  const unusable: ProofComparison[] = [];
  for (const witness of witnesses) {
    const reason = unusableReason(witness, chain);
    if (reason === undefined) usable.push(witness);
    else unusable.push(withoutHash(witness, reason));
  }
  for (const other of fulls) {
    const { revision } = other.manifest;
    // Its file is at hand: it is hashed as if it had been compacted where the chain begins, if that is further.
    const compactRevision = Math.max(other.manifest.compactRevision, chain.compactRevision);
    const place = { with: 'full' as const, key: other.key, revision, compactRevision, hash: 0 };
    const reason = isOfCluster(other)
      ? unusableReason(place, chain)
      : 'no member of the cluster gave it: it was made of backups, perhaps of these';
    if (reason !== undefined) unusable.push(withoutHash(place, reason));
    else {
      try {
        usable.push(await hashStoredFull(other, compactRevision, scratch, options));
      } catch (error) {
        if (!(error instanceof DamagedObjectError) && !isUnreadableHere(error)) throw error;
        unusable.push(withoutHash(place, describeError(error)));
      }
    }
  }
  return { usable, unusable };
}

function withoutHash(expected: ExpectedHash, reason: string): ProofComparison {
  const { with: other, key, revision, compactRevision, hash } = expected;
  const named = key === undefined ? {} : { key };
  return { with: other, ...named, revision, compactRevision, expected: hash, outcome: 'unusable', reason };
}

async function hashStoredFull(
  full: FullEntry,
  compactRevision: number,
  scratch: string,
  options: ProveChainOptions,
): Promise<ExpectedHash> {
  const { store, identities, signal, onProgress } = options;
  const path = join(scratch, 'compared.db');
  const onBytes = (bytes: number): void => onProgress?.('compare', bytes, full.manifest.storedBytes);
  try {
    await fetchFull({ store, full, path, verify: true, skipHashCheck: false, identities, signal, onBytes });
    return await hashOfFull(path, full.key, { compactRevision, signal });
  } finally {
    await rm(path, { force: true });
  }
}

function judge(
  comparisons: readonly ProofComparison[],
  to: number,
): Pick<ProofRecord, 'verdict' | 'problem' | 'provenTo'> {
  const different = comparisons.filter(({ outcome }) => outcome === 'different');
  if (different.length > 0) {
    const named = different.map(({ with: other, key, revision, reason }) => {
      return `${key ?? `the ${other}`} at revision ${revision}: ${reason ?? 'it differs'}`;
    });
    return { verdict: 'failed', problem: `What was rebuilt differs from ${named.join('; ')}`.slice(0, 2_000) };
  }
  const equal = comparisons.filter(({ outcome }) => outcome === 'equal');
  if (equal.length > 0) return { verdict: 'ok', provenTo: Math.max(...equal.map(({ revision }) => revision)) };
  return {
    verdict: 'open',
    problem: `It was rebuilt up to revision ${to} and is sound, but there is no later full of the cluster and no witness to hold it against`,
  };
}

async function outcomeOfFailure(
  error: unknown,
  { store, timeline, full, signal }: ProveChainOptions,
): Promise<ChainOutcome> {
  if (isUnreadableHere(error)) return { verdict: 'open', problem: `Not provable here: ${describeError(error)}` };
  if (await wasRemovedMeanwhile(error, { store, cluster: full.manifest.cluster, timeline, signal })) {
    return {
      verdict: 'open',
      problem: `Retention removed a part of it meanwhile: ${describeError(error)}`.slice(0, 2_000),
    };
  }
  const isDefect = error instanceof EtcdOpsError && (error.code === 'PROOF_FAILED' || error.code === 'BOLT_DAMAGED');
  if (error instanceof DamagedObjectError || isDefect) {
    return { verdict: 'failed', problem: `It cannot be restored: ${describeError(error)}`.slice(0, 2_000) };
  }
  throw error;
}

async function makeScratch(scratch: string, plan: RestorePlan, options: ProveChainOptions): Promise<void> {
  const largest = (options.fulls ?? []).reduce((most, { manifest }) => Math.max(most, manifest.plainBytes), 0);
  const needed = Math.max(plan.expectedDbBytes, largest);
  const { scratchDir, scratchBytesMax } = options;
  if (scratchBytesMax !== undefined && needed > scratchBytesMax) {
    throw new EtcdOpsError('LIMIT_EXCEEDED', {
      message: `The proof needs ${needed} bytes of scratch space, and may use ${scratchBytesMax}`,
    });
  }
  try {
    await mkdir(scratch, { recursive: true, mode: 0o700 });
    const { bavail, bsize } = await statfs(scratch);
    if (bavail * bsize >= needed + SPACE_LEFT_MIN) return;
  } catch (cause) {
    throw new EtcdOpsError('DISK_FAILED', { message: `The scratch directory ${scratch} cannot be used`, cause });
  }
  await rm(scratch, { recursive: true, force: true });
  throw new EtcdOpsError('DISK_FAILED', {
    message: `${scratchDir} has not the ${needed} bytes free that the proof needs`,
    remedy: 'Make room, or name another scratch directory.',
  });
}
