import { describeError, isEtcdOpsError } from '../base/errors.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { DOCUMENT_BYTES_MAX } from './checked-json.ts';
import { proofKey, proofPrefix, witnessKey, witnessPrefix, type ProofKeyFacts } from './evidence-key.ts';
import type { WitnessKeyFacts } from './evidence-key.ts';
import { decodeManifest, type FullManifest } from './full-manifest.ts';
import { isOfCluster } from './full-origin.ts';
import type { DeltaEntry } from './inventory.ts';
import { manifestKey, parseObjectKey } from './object-key.ts';
import { doubtsOf, type Doubt } from './proof-doubts.ts';
import { decodeProofRecord, encodeProofRecord, type ProofRecord } from './proof-record.ts';
import { provenChainsOf, vouched, type ProvenChain } from './proven-chains.ts';
import { decodeWitness, encodeWitness, type WitnessRecord } from './witness-record.ts';

/** A record that is there but cannot be read. */
export interface DamagedRecord {
  key: string;
  reason: string;
}

/** A proof, as its name tells; nobody has looked into it. */
export interface ProofEntry extends ProofKeyFacts {
  key: string;
}

export interface StoredProof {
  key: string;
  record: ProofRecord;
}

export interface WitnessEntry extends WitnessKeyFacts {
  key: string;
}

export interface StoredWitness {
  key: string;
  record: WitnessRecord;
}

/** What a repository says about its proofs. */
export interface Proofs {
  /**
   * The newest chain proof of each full that has one, newest first; at most `CHAINS_READ_MAX`. One that calls itself `ok` and was held
   * only against what was made of backups, as older versions did, is `open` here.
   */
  chains: StoredProof[];
  /** Edges that failed, and where some did, those of the same timeline that did not: newest first. */
  edges: StoredProof[];
  /** What the cluster vouched for, newest proof first: retention keeps the chain of the first full that is still there. */
  provenChains: ProvenChain[];
  /** The first of them. */
  proven?: ProvenChain;
  /** What the newest restore in scratch space took, whatever came of its proof. */
  restoreMs?: number;
  /** Records that cannot be read. */
  damaged: DamagedRecord[];
}

type Reading = { signal?: AbortSignal | undefined };

/** Records are small, but a store may be far away: no more than these are read of chains. */
const CHAINS_READ_MAX = 16;
const EDGES_READ_MAX = 200;

/** All proofs by timeline, then by the revision of their full, oldest first: from a listing alone. */
export async function listProofs(store: ObjectStore, cluster: string, options: Reading = {}): Promise<ProofEntry[]> {
  const entries: ProofEntry[] = [];
  for await (const { key } of store.list(proofPrefix(cluster), withSignal(options))) {
    const parsed = parseObjectKey(key);
    if (parsed?.kind === 'proof') entries.push({ ...parsed, key });
  }
  return entries;
}

/**
 * What is proven of a cluster's repository, and what a restore takes. One listing, and a few small objects.
 * @throws EtcdOpsError STORE_FAILED, CANCELLED. A damaged record is reported in the result.
 */
export async function readProofs(store: ObjectStore, cluster: string, options: Reading = {}): Promise<Proofs> {
  const entries = (await listProofs(store, cluster, options)).toSorted(byTimeOfProof);
  const damaged: DamagedRecord[] = [];
  const known = new Map<string, Promise<ProofRecord | undefined>>();
  const readOne = async (key: string): Promise<ProofRecord | undefined> => {
    const found = known.get(key) ?? readProof(store, key, damaged, options);
    known.set(key, found);
    return await found;
  };
  const read = async (wanted: readonly ProofEntry[], judge = (one: ProofRecord) => Promise.resolve(one)) => {
    const found: StoredProof[] = [];
    for (const { key } of wanted) {
      const record = await readOne(key);
      if (record !== undefined) found.push({ key, record: await judge(record) });
    }
    return found;
  };
  const isOfClusterFull = fullsOfCluster(store, options);
  const wanted = newestOfEachFull(entries, 'chain').slice(0, CHAINS_READ_MAX);
  const chains = await read(wanted, async (record) => await vouched(record, isOfClusterFull));
  const edges = await read(bearingOnDoubts(entries).toSorted(byTimeOfProof));
  const provenChains = await provenChainsOf(entries, wanted, { readOne, isOfClusterFull });
  const restoreMs = chains.find(({ record }) => record.restoreMs !== undefined)?.record.restoreMs;
  return {
    chains,
    edges,
    provenChains,
    ...(provenChains[0] === undefined ? {} : { proven: provenChains[0] }),
    ...(restoreMs === undefined ? {} : { restoreMs }),
    damaged,
  };
}

/** Asks the manifest of a full, once. One that is gone or damaged vouches for nothing. */
function fullsOfCluster(store: ObjectStore, options: Reading): (key: string) => Promise<boolean> {
  const known = new Map<string, Promise<boolean>>();
  return async (key) => {
    const found =
      known.get(key) ?? readManifest(store, key, options).then((full) => full !== undefined && isOfCluster(full));
    known.set(key, found);
    return await found;
  };
}

/** The manifest of a full by the full's key; undefined when it is gone or damaged. @throws EtcdOpsError STORE_FAILED, CANCELLED. */
export async function readManifest(
  store: ObjectStore,
  key: string,
  options: Reading = {},
): Promise<{ manifest: FullManifest } | undefined> {
  try {
    const bytes = await store.get(manifestKey(key), { bytesMax: DOCUMENT_BYTES_MAX, ...withSignal(options) });
    return { manifest: decodeManifest(bytes) };
  } catch (error) {
    if (isEtcdOpsError(error, 'STORE_NOT_FOUND') || isEtcdOpsError(error, 'MANIFEST_DAMAGED')) return undefined;
    if (isEtcdOpsError(error, 'LIMIT_EXCEEDED')) return undefined;
    throw error;
  }
}

/**
 * What failed edge proofs leave in doubt. `keys`: all proofs, as a listing names them; `deltas`: all that it names. Nothing is read
 * unless one failed.
 */
export async function readDoubts(
  store: ObjectStore,
  keys: readonly string[],
  options: Reading & { damaged: DamagedRecord[]; deltas: readonly DeltaEntry[] },
): Promise<Doubt[]> {
  const entries = keys.flatMap((key): ProofEntry[] => {
    const parsed = parseObjectKey(key);
    return parsed?.kind === 'proof' ? [{ ...parsed, key }] : [];
  });
  const records = await Promise.all(
    bearingOnDoubts(entries).map(async ({ key }) => await readProof(store, key, options.damaged, options)),
  );
  return doubtsOf(
    records.filter((record) => record !== undefined),
    options.deltas,
  );
}

/**
 * Edges that failed, however old: no number of good ones behind it settles a doubt. Of the others in the same timeline, those of the
 * fulls nearest to one that failed, which held the same revisions against theirs.
 */
function bearingOnDoubts(entries: readonly ProofEntry[]): ProofEntry[] {
  const edges = entries.filter(({ proof }) => proof === 'edge');
  const failed = edges.filter(isFailedEdge).toSorted(byTimeOfProof).slice(0, EDGES_READ_MAX);
  const distance = ({ timeline, revision }: ProofEntry): number =>
    Math.min(
      ...failed.map((one) =>
        one.timeline === timeline ? Math.abs(one.revision - revision) : Number.POSITIVE_INFINITY,
      ),
    );
  const others = edges
    .filter((edge) => !isFailedEdge(edge))
    .map((edge) => ({ edge, away: distance(edge) }))
    .filter(({ away }) => away < Number.POSITIVE_INFINITY)
    .toSorted((left, right) => left.away - right.away || byTimeOfProof(left.edge, right.edge))
    .slice(0, EDGES_READ_MAX);
  return [...failed, ...others.map(({ edge }) => edge)];
}

/** Writes a proof under the name that tells its outcome. `createdAtMs` and `revision`: of the full that it is about. */
export async function writeProof(
  store: ObjectStore,
  record: ProofRecord,
  full: { revision: number; createdAtMs: number },
  options: Reading = {},
): Promise<string> {
  const { cluster, timeline, proof, verdict } = record;
  const provedAtMs = Date.parse(record.provedAt);
  const key = proofKey({ cluster, timeline, proof, verdict, provedAtMs, ...full });
  await store.put(key, encodeProofRecord(record), { ifAbsent: true, ...withSignal(options) });
  return key;
}

/** The record of one entry; undefined, and noted in `damaged`, when it cannot be read. */
export async function readProof(
  store: ObjectStore,
  key: string,
  damaged: DamagedRecord[],
  options: Reading = {},
): Promise<ProofRecord | undefined> {
  return await readRecord(store, key, { decode: decodeProofRecord, damaged, ...options });
}

/** All witnesses by timeline, then by revision: from a listing alone. */
export async function listWitnesses(
  store: ObjectStore,
  cluster: string,
  options: Reading = {},
): Promise<WitnessEntry[]> {
  const entries: WitnessEntry[] = [];
  for await (const { key } of store.list(witnessPrefix(cluster), withSignal(options))) {
    const parsed = parseObjectKey(key);
    if (parsed?.kind === 'witness') entries.push({ ...parsed, key });
  }
  return entries;
}

export async function readWitness(
  store: ObjectStore,
  key: string,
  damaged: DamagedRecord[],
  options: Reading = {},
): Promise<WitnessRecord | undefined> {
  return await readRecord(store, key, { decode: decodeWitness, damaged, ...options });
}

export async function writeWitness(store: ObjectStore, record: WitnessRecord, options: Reading = {}): Promise<string> {
  const { cluster, timeline, revision, memberId } = record;
  const key = witnessKey({ cluster, timeline, revision, memberId, askedAtMs: Date.parse(record.askedAt) });
  await store.put(key, encodeWitness(record), { ifAbsent: true, ...withSignal(options) });
  return key;
}

async function readRecord<T extends { cluster: string; timeline: number }>(
  store: ObjectStore,
  key: string,
  options: Reading & { decode: (bytes: Buffer) => T; damaged: DamagedRecord[] },
): Promise<T | undefined> {
  const { decode, damaged } = options;
  try {
    const record = decode(await store.get(key, { bytesMax: DOCUMENT_BYTES_MAX, ...withSignal(options) }));
    const named = parseObjectKey(key);
    if (named !== undefined && 'timeline' in named && named.timeline === record.timeline) return record;
    damaged.push({ key, reason: 'it is the record of something else' });
  } catch (error) {
    // Not found: it was tidied away between our listing and our reading.
    if (isEtcdOpsError(error, 'STORE_NOT_FOUND')) return undefined;
    if (!isEtcdOpsError(error, 'MANIFEST_DAMAGED') && !isEtcdOpsError(error, 'LIMIT_EXCEEDED')) throw error;
    damaged.push({ key, reason: describeError(error) });
  }
  return undefined;
}

/** Of the proofs of one kind, the newest of each full. `entries`: newest first. */
export function newestOfEachFull(entries: readonly ProofEntry[], proof: ProofEntry['proof']): ProofEntry[] {
  const newest = new Map<string, ProofEntry>();
  for (const entry of entries) {
    if (entry.proof !== proof) continue;
    const full = `${entry.timeline}/${entry.revision}/${entry.createdAtMs}`;
    if (!newest.has(full)) newest.set(full, entry);
  }
  return [...newest.values()];
}

export function isFailedEdge({ proof, verdict }: ProofEntry): boolean {
  return proof === 'edge' && verdict === 'failed';
}

/** Newest first; those of one moment, the higher full first. */
function byTimeOfProof(left: ProofEntry, right: ProofEntry): number {
  return right.provedAtMs - left.provedAtMs || right.timeline - left.timeline || right.revision - left.revision;
}

function withSignal({ signal }: Reading): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}
