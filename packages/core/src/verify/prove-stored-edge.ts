import type { BoltFile } from '../bolt/bolt-file.ts';
import type { Identities } from '../encryption/identities.ts';
import { isOfCluster } from '../repository/full-origin.ts';
import type { DeltaEntry, FullEntry } from '../repository/inventory.ts';
import { parseObjectKey, timelinePrefix } from '../repository/object-key.ts';
import { settledTo } from '../repository/proof-doubts.ts';
import type { ProofRecord } from '../repository/proof-record.ts';
import { listProofs, readManifest, readProof, writeProof } from '../repository/read-proofs.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type { EdgeTimeline } from './edge-span.ts';
import { proveEdge } from './prove-edge.ts';

export interface ProveStoredEdgeOptions {
  store: ObjectStore;
  /** Stored just now, manifest and all. */
  full: FullEntry;
  /** Its database, checked; nothing else reads it meanwhile. */
  file: BoltFile;
  spoolDir: string;
  identities?: Identities | undefined;
  worker?: string | undefined;
  now?: () => number;
  signal?: AbortSignal | undefined;
}

/** Where some edge failed, all of them count; else the newest says up to where all is settled. */
const EDGES_READ_MAX = 200;

/**
 * The edge proof of a full that was stored just now, and its record. Nothing is written when there was nothing to compare: a first full,
 * or one of a cluster whose changes nobody watches.
 * @throws EtcdOpsError as `proveEdge`.
 */
export async function proveStoredEdge(options: ProveStoredEdgeOptions): Promise<ProofRecord> {
  const { store, full, signal } = options;
  const { fullKeys, deltas } = await listTimeline(options);
  const settled = await settledBefore(options);
  const fulls = settled > 0 ? [] : await newestOfCluster(fullKeys, options);
  const record = await proveEdge({ ...options, timeline: { fulls, deltas }, settledTo: settled });
  if (record.to >= record.from) {
    const { revision, createdAtMs } = full;
    await writeProof(store, record, { revision, createdAtMs }, { signal });
  }
  return record;
}

/** By names alone: no manifest is needed to know which revisions are held. `fullKeys`: of the fulls below this one, ascending. */
async function listTimeline({ store, full, signal }: ProveStoredEdgeOptions): Promise<{
  fullKeys: string[];
  deltas: DeltaEntry[];
}> {
  const fullKeys: string[] = [];
  const deltas: DeltaEntry[] = [];
  const { cluster } = full.manifest;
  const aborting = signal === undefined ? {} : { signal };
  for await (const { key, bytes, modifiedAtMs } of store.list(timelinePrefix(cluster, full.timeline), aborting)) {
    const parsed = parseObjectKey(key);
    if (parsed?.kind === 'delta') deltas.push({ ...parsed, key, bytes, modifiedAtMs });
    else if (parsed?.kind === 'manifest' && parsed.revision < full.revision) fullKeys.push(parsed.fullKey);
  }
  return { fullKeys: fullKeys.toSorted(), deltas };
}

/** Only manifests tell who gave a full: mostly the first that is read does. */
async function newestOfCluster(
  fullKeys: readonly string[],
  { store, signal }: ProveStoredEdgeOptions,
): Promise<EdgeTimeline['fulls']> {
  for (const key of fullKeys.toReversed()) {
    const found = await readManifest(store, key, { signal });
    if (found !== undefined && isOfCluster(found)) return [{ revision: found.manifest.revision, ...found }];
  }
  return [];
}

async function settledBefore({ store, full, signal }: ProveStoredEdgeOptions): Promise<number> {
  const { timeline, revision, manifest } = full;
  const entries = (await listProofs(store, manifest.cluster, { signal })).filter((entry) => {
    return entry.proof === 'edge' && entry.timeline === timeline && entry.revision <= revision;
  });
  const settling = entries.filter(({ verdict }) => verdict !== 'open');
  const hasFailed = settling.some(({ verdict }) => verdict === 'failed');
  const wanted = hasFailed ? settling.slice(-EDGES_READ_MAX) : settling.slice(-1);
  const records = await Promise.all(wanted.map(async ({ key }) => await readProof(store, key, [], { signal })));
  return settledTo(
    records.filter((record) => record !== undefined),
    timeline,
  );
}
