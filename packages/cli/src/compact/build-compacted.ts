import { join } from 'node:path';
import {
  BoltFile,
  checkBoltFile,
  compactStore,
  EtcdOpsError,
  hashKV,
  restoreAround,
  type CompactStoreReport,
  type HashKVOptions,
  type HashKVResult,
  type Identities,
  type Inventory,
  type ObjectStore,
  type RestorePlan,
} from '@etcd-ops/core';

export interface BuildOptions {
  store: ObjectStore;
  inventory: Inventory;
  plan: RestorePlan;
  /** The revision to compact at: those from it on stay restorable. */
  compactAt: number;
  identities: Identities | undefined;
  /** An empty directory of our own. */
  scratch: string;
  signal: AbortSignal;
  onProgress: (phase: string, bytesDone: number, bytesTotal: number) => void;
}

export interface BuiltStore {
  /** The database file, compacted, without etcd's trailing hash. */
  path: string;
  /** What it was made of: the plan, or another one round a damaged object. */
  plan: RestorePlan;
  report: CompactStoreReport;
  /** Equal over the restored rows and over the new file. */
  hash: HashKVResult;
}

/** A member that never runs: only its database counts, and every restore gives that another membership. */
const SCRATCH_CLUSTER = [{ name: 'compact', peerUrls: ['http://localhost:2380'] }];

/** @throws EtcdOpsError of restore and compaction; PROOF_FAILED when the new file does not hash as the restored rows do. */
export async function buildCompacted(options: BuildOptions): Promise<BuiltStore> {
  const { store, inventory, plan, compactAt, identities, scratch, signal, onProgress } = options;
  const dataDir = join(scratch, 'restored');
  const { plan: used } = await restoreAround({
    store,
    inventory,
    restoreTo: { kind: 'revision', revision: plan.revision, timeline: plan.timeline },
    dataDirs: [{ member: 'compact', dataDir }],
    initialCluster: SCRATCH_CLUSTER,
    token: 'etcd-ops-compact',
    identities,
    signal,
    onProgress,
  });
  const restored = join(dataDir, 'member', 'snap', 'db');
  const path = join(scratch, 'compacted.db');
  const report = await compactStore(restored, path, { revision: compactAt, signal, onProgress });
  const expected = await hashOf(restored, { revision: report.revision, compactRevision: compactAt, signal });
  const hash = await hashOf(path, { revision: report.revision, compactRevision: compactAt, signal });
  if (hash.hash !== expected.hash) {
    throw new EtcdOpsError('PROOF_FAILED', {
      message: `The compacted database hashes to ${hash.hash} at revision ${hash.revision}, the restored rows to ${expected.hash}; nothing was stored`,
      remedy: 'This is a defect of etcd-ops: please report it.',
    });
  }
  using file = BoltFile.open(path);
  await checkBoltFile(file, { signal });
  return { path, plan: used, report, hash };
}

async function hashOf(path: string, options: HashKVOptions): Promise<HashKVResult> {
  using file = BoltFile.open(path);
  return await hashKV(file, options);
}
