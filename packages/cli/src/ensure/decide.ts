import { digestFits, type DataDirFacts, type DataDirState, type RestorePlan } from '@etcd-ops/core';
import { isForeign, type KnownClusters } from './known-cluster.ts';

/** What the repository can give; undefined when it holds no backup. */
export interface NewestBackup {
  plan: RestorePlan;
  /** Digest of the rows of the newest revision, maybe sealed; null when it is not known. */
  digest: string | null;
}

export type Decision =
  | { action: 'leave'; warnings: string[] }
  | { action: 'restore'; reason: string; moveAside: boolean }
  /** Nothing there and no backup: etcd begins a new cluster, if that is meant. */
  | { action: 'begin' }
  | { action: 'refuse'; code: 'DATA_DIR_FOREIGN' | 'DATA_DIR_IN_USE' | 'DATA_DIR_BROKEN'; reason: string };

/** What is to be done with a data directory: pure, so that every case can be tried. */
export function decide(state: DataDirState, backup: NewestBackup | undefined, known: KnownClusters): Decision {
  switch (state.kind) {
    case 'running': {
      const who = state.pid === undefined ? 'another process' : `process ${state.pid}`;
      return { action: 'refuse', code: 'DATA_DIR_IN_USE', reason: `${state.path} is locked by ${who}` };
    }
    case 'foreign':
      return { action: 'refuse', code: 'DATA_DIR_FOREIGN', reason: state.reason };
    case 'missing':
      if (backup === undefined) return { action: 'begin' };
      return { action: 'restore', reason: 'there is no data', moveAside: false };
    case 'broken':
      if (state.clusterId !== undefined && isForeign(state.clusterId, known)) return foreign(state.clusterId, known);
      if (backup === undefined) return { action: 'refuse', code: 'DATA_DIR_BROKEN', reason: state.reason };
      return { action: 'restore', reason: state.reason, moveAside: true };
    case 'healthy':
      return decideHealthy(state, backup, known);
  }
}

function decideHealthy(
  { facts, warnings }: { facts: DataDirFacts; warnings: string[] },
  backup: NewestBackup | undefined,
  known: KnownClusters,
): Decision {
  if (isForeign(facts.clusterId, known)) return foreign(facts.clusterId, known);
  if (backup === undefined) return { action: 'leave', warnings };
  const head = backup.plan.revision;
  // Each entry of the log that the database lacks may become a revision when etcd starts.
  const reachable = facts.revision + facts.entriesAhead;
  if (reachable >= head) {
    const differs =
      typeof facts.digest === 'string' && backup.digest !== null && !digestFits(backup.digest, facts.digest);
    const fork = `its revision ${head} is not the one that was backed up: the histories have parted, and the backup goes on in a new timeline`;
    return { action: 'leave', warnings: differs ? [...warnings, fork] : warnings };
  }
  const behind = `it ends at revision ${reachable}, and the newest backup is at ${head}`;
  if (isOldCopy(facts, known)) return { action: 'restore', reason: behind, moveAside: true };
  return { action: 'leave', warnings: [...warnings, `${behind}; ${whyLeft(facts)}`] };
}

/**
 * A lone member behind its own backup has lost writes: an old disk came back. A cluster of several catches up from the others.
 * One that was restored on purpose begins its log anew: fewer entries than revisions.
 */
function isOldCopy(facts: DataDirFacts, known: KnownClusters): boolean {
  return facts.members <= 1 && facts.clusterId === known.newest && !wasRestored(facts);
}

function wasRestored(facts: DataDirFacts): boolean {
  return facts.consistentIndex + 1n < BigInt(facts.revision);
}

function whyLeft(facts: DataDirFacts): string {
  if (facts.members > 1) return 'the other members bring it up to date';
  return 'it was restored to that point before, which is respected';
}

function foreign(clusterId: bigint, known: KnownClusters): Decision {
  const ids = [...known.recorded].map((id) => id.toString(16)).join(', ');
  const reason = `it is the data of cluster ${clusterId.toString(16)}, and the backups are of ${ids}`;
  return { action: 'refuse', code: 'DATA_DIR_FOREIGN', reason };
}
