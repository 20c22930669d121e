import {
  canOpenNewest,
  capturedLater,
  describeLater,
  gaps,
  readInventory,
  readProofs,
  restorableRanges,
  seenMsAtOrBelow,
  type FullEntry,
  type Identities,
  type ObjectStore,
  type ProvenChain,
  type TimelineInventory,
} from '@etcd-ops/core';
import type { BackupFacts } from './judge-backups.ts';
import { misnamedDeltas } from './misnamed-deltas.ts';

export interface LookAtBackupsOptions {
  cluster: string;
  identities: Identities | undefined;
  nowMs: number;
  signal: AbortSignal;
}

export interface LookedAtBackups {
  facts: BackupFacts;
  newestFull?: FullEntry;
}

/** Reads the listing, the manifests, a few records, and the headers of the newest objects. @throws EtcdOpsError STORE_..., CANCELLED. */
export async function lookAtBackups(store: ObjectStore, options: LookAtBackupsOptions): Promise<LookedAtBackups> {
  const { cluster, identities, nowMs, signal } = options;
  const inventory = await readInventory(store, cluster, { signal });
  const { chains, proven } = await readProofs(store, cluster, { signal });
  const timeline = inventory.timelines.findLast(({ fulls }) => fulls.length > 0);
  const newest = timeline === undefined ? undefined : newestSeen(timeline);
  const end = restorableRanges(inventory).findLast((range) => range.timeline === timeline?.timeline);
  const later = end === undefined ? undefined : capturedLater(inventory, { timeline: end.timeline, revision: end.to });
  const misnamed = await misnamedDeltas(store, inventory, signal);
  const failed = chains.find(({ record }) => record.verdict === 'failed')?.record;
  const doubt = inventory.doubts?.[0];
  const facts: BackupFacts = {
    cluster,
    nowMs,
    gaps: gaps(inventory).filter((gap) => gap.timeline === timeline?.timeline).length,
    damaged: [...inventory.damaged, ...misnamed],
    ...(later === undefined ? {} : { later: describeLater(later) }),
    ...(end === undefined ? {} : { end: { revision: end.to, timeMs: end.toTimeMs ?? 0 } }),
    ...(proven === undefined ? {} : { proven: provenOf(proven) }),
  };
  if (failed !== undefined) {
    facts.failedProof = { full: failed.full, problem: failed.problem ?? 'the log of the verifier has the details' };
  } else if (doubt !== undefined) {
    facts.failedProof = { full: doubt.key, problem: doubt.reason };
  }
  if (newest === undefined) return { facts };
  const { full, timeMs } = newest;
  const { key, revision, manifest } = full;
  facts.newestFull = { key, revision, timeMs, clusterId: manifest.clusterId };
  facts.opens = {
    ...(await canOpenNewest(store, cluster, identities, { signal })),
    hasIdentity: identities !== undefined,
  };
  return { facts, newestFull: full };
}

function provenOf({ record, provenTo }: ProvenChain): NonNullable<BackupFacts['proven']> {
  return { full: record.full, to: provenTo, timeMs: Date.parse(record.provedAt) };
}

/** A full is as old as the state that it holds: making one more of what is there already, or asking a member without a quorum, makes nothing newer. */
function newestSeen(timeline: TimelineInventory): { full: FullEntry; timeMs: number } | undefined {
  return timeline.fulls
    .map((full) => ({ full, timeMs: seenMsAtOrBelow(full, timeline) ?? 0 }))
    .toSorted((left, right) => left.timeMs - right.timeMs)
    .at(-1);
}
