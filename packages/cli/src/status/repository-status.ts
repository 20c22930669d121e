import {
  describeError,
  gaps,
  isEtcdOpsError,
  openStore,
  readInventory,
  readProofs,
  restorableRanges,
  seenMsAtOrBelow,
  type Inventory,
  type Proofs,
  type ProvenChain,
} from '@etcd-ops/core';
import type { RepositoryOptions } from '../options/repository-options.ts';
import { storeSpec } from '../restore/store-spec.ts';

/** A stored object that is the newest of its kind. */
export interface NewestObject {
  key: string;
  timeline: number;
  revision: number;
  bytes: number;
  /** RFC 3339: of a full, when the cluster was seen in that state; of a delta, when its last revision was captured. */
  time?: string;
}

/** What the repository alone tells; the daemon need not live for it. */
export interface RepositoryStatus {
  store: string;
  restorable?: { timeline: number; from: number; to: number; toTime?: string };
  fulls: number;
  deltas: number;
  bytes: number;
  newestFull?: NewestObject;
  newestDelta?: NewestObject;
  gaps: number;
  incomplete: number;
  damaged: number;
  /** The newest chain that was restored in scratch space and compared; `to`: up to where the cluster vouched for it. */
  proven?: { timeline: number; from: number; to: number; provedAt: string };
  /** What the newest such restore took. */
  restoreMs?: number;
  /** The newest proof of each full that failed. */
  failedProofs: { full: string; provedAt: string; problem: string }[];
}

export interface RepositoryAnswer {
  repository?: RepositoryStatus;
  /** Why it cannot be read. */
  repositoryError?: { code: string; message: string };
}

/** A store that cannot be read is told: the daemon's own word is worth as much without it. */
export async function readRepositoryStatus(options: RepositoryOptions): Promise<RepositoryAnswer> {
  try {
    const store = await openStore(storeSpec(options));
    const [inventory, proofs] = await Promise.all([
      readInventory(store, options.clusterName),
      readProofs(store, options.clusterName),
    ]);
    return { repository: { store: store.description, ...statusOf(inventory), ...provenOf(proofs) } };
  } catch (error) {
    if (!isEtcdOpsError(error)) throw error;
    return { repositoryError: { code: error.code, message: describeError(error) } };
  }
}

export function statusOf(inventory: Inventory): Omit<RepositoryStatus, 'store' | 'failedProofs'> {
  const fulls = inventory.timelines.flatMap((timeline) =>
    timeline.fulls.map((full) => ({ ...full, seenMs: seenMsAtOrBelow(full, timeline) ?? 0 })),
  );
  const deltas = inventory.timelines.flatMap((timeline) => timeline.deltas);
  const full = newest(fulls, ({ seenMs }) => seenMs);
  const delta = deltas.at(-1);
  const range = restorableRanges(inventory).at(-1);
  return {
    ...(range === undefined ? {} : { restorable: rangeOf(range) }),
    fulls: fulls.length,
    deltas: deltas.length,
    bytes: [...fulls, ...deltas].reduce((sum, { bytes }) => sum + bytes, 0),
    ...(full === undefined ? {} : { newestFull: { ...object(full), revision: full.revision, ...timeOf(full.seenMs) } }),
    ...(delta === undefined
      ? {}
      : { newestDelta: { ...object(delta), revision: delta.last, ...timeOf(delta.lastObservedMs) } }),
    gaps: gaps(inventory).length,
    incomplete: inventory.incomplete.length,
    damaged: inventory.damaged.length,
  };
}

function provenOf({
  proven,
  restoreMs,
  chains,
}: Proofs): Pick<RepositoryStatus, 'proven' | 'restoreMs' | 'failedProofs'> {
  const failed = chains.filter(({ record }) => record.verdict === 'failed');
  return {
    ...(proven === undefined ? {} : { proven: factsOf(proven) }),
    ...(restoreMs === undefined ? {} : { restoreMs }),
    failedProofs: failed.map(({ record: { full, provedAt, problem = 'the log of the verifier has the details' } }) => {
      return { full, provedAt, problem };
    }),
  };
}

function factsOf({ record, provenTo }: ProvenChain): NonNullable<RepositoryStatus['proven']> {
  const { timeline, from, provedAt } = record;
  return { timeline, from, to: provenTo, provedAt };
}

function rangeOf(range: ReturnType<typeof restorableRanges>[number]): NonNullable<RepositoryStatus['restorable']> {
  const { timeline, from, to, toTimeMs } = range;
  const time = timeOf(toTimeMs).time;
  return { timeline, from, to, ...(time === undefined ? {} : { toTime: time }) };
}

function object({ key, timeline, bytes }: { key: string; timeline: number; bytes: number }) {
  return { key, timeline, bytes };
}

function timeOf(ms: number | undefined): { time?: string } {
  return ms === undefined || ms === 0 ? {} : { time: new Date(ms).toISOString() };
}

function newest<T>(items: readonly T[], rank: (item: T) => number): T | undefined {
  return items.reduce<T | undefined>(
    (best, item) => (best === undefined || rank(item) >= rank(best) ? item : best),
    undefined,
  );
}
