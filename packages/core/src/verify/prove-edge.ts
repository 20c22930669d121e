import { describeError } from '../base/errors.ts';
import type { BoltFile } from '../bolt/bolt-file.ts';
import type { Identities } from '../encryption/identities.ts';
import type { LeaseRecord } from '../mvcc/lease-record.ts';
import { readLeases } from '../mvcc/leases.ts';
import type { RowBlock } from '../mvcc/row-block.ts';
import { digestOfRevision, readStoreRevisions } from '../mvcc/store-info.ts';
import { chooseDeltas } from '../repository/choose-deltas.ts';
import type { DeltaEntry, FullEntry } from '../repository/inventory.ts';
import type { ProofDifference, ProofRecord } from '../repository/proof-record.ts';
import { asDamageOf, DamagedObjectError } from '../restore/damaged-object.ts';
import { fetchDeltas } from '../restore/fetch-deltas.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { checkDeltaObject } from './check-delta-object.ts';
import { RowComparison, type RowDifference } from './compare-rows.ts';
import { digestOfRevisionIn } from './delta-digest.ts';
import { edgeSpans, type EdgeTimeline, type RevisionSpan } from './edge-span.ts';
import { isUnreadableHere } from './unreadable.ts';

export interface ProveEdgeOptions {
  store: ObjectStore;
  timeline: EdgeTimeline;
  /** What opens encrypted objects; without it they are not read here. */
  identities?: Identities | undefined;
  full: FullEntry;
  /** The database of the full, checked; nothing else reads it meanwhile. */
  file: BoltFile;
  /** Up to where the edges before it are settled; 0: none is. */
  settledTo: number;
  /** For deltas that are too large to be held in memory; must exist. */
  spoolDir: string;
  worker?: string | undefined;
  now?: () => number;
  signal?: AbortSignal | undefined;
  /** Called with the stored bytes of deltas that were read. */
  onBytes?: (bytes: number) => void;
}

const FETCHERS = 4;
/** Its rows are compared byte for byte: a CRC of them would only cost time. */
const EVERY_BYTE = { crc: false } as const;
const DELTA_KEYS_MAX = 1_000;

/**
 * The edge proof of a full: what the deltas before it hold must be what it holds, byte for byte; at or below its C, what it has left
 * must be among it. Costs one reading of those deltas. A difference is the record's verdict, not an error; nor is a delta that cannot
 * be read here: then the record is `open`.
 * @throws EtcdOpsError STORE_FAILED, CANCELLED, and damage of the full itself.
 */
export async function proveEdge(options: ProveEdgeOptions): Promise<ProofRecord> {
  const { timeline, full, settledTo, now = Date.now } = options;
  const beganMs = now();
  const spans = edgeSpans(timeline, full, settledTo);
  const tally: EdgeTally = { deltas: 0, rows: 0, rowBytes: 0, leases: new Map() };
  const outcome = spans.length === 0 ? NOTHING_TO_COMPARE : await compareSpans(spans, tally, options);
  const leasesDiffering = differingLeases(options.file, tally.leases, full.revision);
  return {
    version: 1,
    kind: 'proof',
    proof: 'edge',
    cluster: full.manifest.cluster,
    timeline: full.timeline,
    full: full.key,
    from: spans[0]?.from ?? full.revision + 1,
    to: spans.at(-1)?.to ?? full.revision,
    ...outcome,
    provedAt: new Date(now()).toISOString(),
    durationMs: Math.max(0, Math.round(now() - beganMs)),
    deltas: tally.deltas,
    rows: tally.rows,
    rowBytes: tally.rowBytes,
    ...(leasesDiffering === 0 ? {} : { leasesDiffering }),
    ...(options.worker === undefined ? {} : { worker: options.worker }),
  };
}

type EdgeOutcome = Pick<ProofRecord, 'verdict' | 'problem' | 'difference' | 'deltaKeys'>;

interface EdgeTally {
  deltas: number;
  rows: number;
  rowBytes: number;
  /** The newest record of each lease that has a TTL. */
  leases: Map<bigint, LeaseRecord>;
}

const NOTHING_TO_COMPARE: EdgeOutcome = {
  verdict: 'open',
  problem: 'No delta before the full holds anything that is not settled already',
};

async function compareSpans(
  spans: readonly RevisionSpan[],
  tally: EdgeTally,
  options: ProveEdgeOptions,
): Promise<EdgeOutcome> {
  try {
    for (const span of spans) {
      const found = await compareSpan(span, tally, options);
      if (found !== undefined) return found;
    }
    return { verdict: 'ok' };
  } catch (error) {
    if (isUnreadableHere(error)) return { verdict: 'open', problem: `Not provable here: ${describeError(error)}` };
    const isOfFull = !(error instanceof DamagedObjectError) || error.objectKey === options.full.key;
    if (isOfFull) throw error;
    return { verdict: 'open', problem: `A delta is damaged: ${describeError(error)}` };
  }
}

/** The outcome when the span differs. */
async function compareSpan(
  span: RevisionSpan,
  tally: EdgeTally,
  options: ProveEdgeOptions,
): Promise<EdgeOutcome | undefined> {
  const { store, timeline, full, file, spoolDir, identities, signal } = options;
  const deltas = chooseDeltas(timeline.deltas, span.from - 1, span.to)!;
  const { compactRevision } = readStoreRevisions(file);
  const rows = new RowComparison(file, { after: span.from - 1, upTo: span.to, compactRevision });
  let reached = span.from - 1;
  let differing: DeltaEntry | undefined;
  const bytesBefore = tally.rowBytes;
  const fetched = fetchDeltas({
    store,
    deltas,
    spoolDir,
    fetchersMax: FETCHERS,
    identities,
    // Every row is compared with the full, which no hash could do better; only what differs is hashed.
    hash: false,
    signal,
    onBytes: (bytes) => options.onBytes?.(bytesBefore + bytes),
  });
  for await (const { entry, reader } of fetched) {
    requireSameHistory(entry, reader.facts, full);
    tally.deltas++;
    noteLeases(tally.leases, await reader.leases());
    const range = { ...EVERY_BYTE, fromRevision: reached + 1, toRevision: span.to, signal };
    for await (const block of blamingRows(entry.key, reader.rowBlocks(range))) {
      if (!rows.compare(block, block.firstRowAbove(reached), block.firstRowAbove(span.to))) break;
    }
    reached = Math.min(entry.last, span.to);
    if (rows.difference === undefined) continue;
    differing = entry;
    break;
  }
  // Bytes that rotted are damage of the delta, and no difference of histories.
  const check = { store, spoolDir, identities, claims: [], signal };
  if (differing !== undefined) await checkDeltaObject({ ...check, entry: differing });
  rows.finish();
  tally.rows += rows.rows;
  tally.rowBytes += rows.rowBytes;
  if (rows.difference === undefined) return undefined;
  return await describeDifference(rows.difference, deltas, options);
}

/** What is wrong with the blocks is wrong with the delta; the file of the full is read beside them. */
async function* blamingRows(key: string, blocks: AsyncIterable<RowBlock>): AsyncGenerator<RowBlock> {
  try {
    yield* blocks;
  } catch (error) {
    throw asDamageOf(key, error);
  }
}

function requireSameHistory(
  entry: DeltaEntry,
  facts: { clusterId: bigint; timeline: number },
  { timeline, manifest }: FullEntry,
): void {
  if (facts.timeline === timeline && facts.clusterId === BigInt(`0x${manifest.clusterId}`)) return;
  throw new DamagedObjectError('DELTA_DAMAGED', entry.key, { rule: 'it belongs to another cluster or timeline' });
}

async function describeDifference(
  { revision, rule }: RowDifference,
  deltas: readonly DeltaEntry[],
  options: ProveEdgeOptions,
): Promise<EdgeOutcome> {
  const from = deltas.findIndex(({ last }) => last >= revision);
  const concerned = deltas.slice(Math.max(0, from), Math.max(0, from) + DELTA_KEYS_MAX);
  const difference: ProofDifference = {
    revision,
    rule,
    ...(concerned[0] === undefined ? {} : { delta: concerned[0].key }),
    fullDigest: digestOfRevision(options.file, revision)?.digest ?? null,
    deltaDigest: concerned[0] === undefined ? null : await digestInDelta(concerned[0], revision, options),
  };
  return {
    verdict: 'failed',
    difference,
    deltaKeys: concerned.map(({ key }) => key),
    problem: `At revision ${revision}, ${rule}`,
  };
}

async function digestInDelta(
  entry: DeltaEntry,
  revision: number,
  { store, spoolDir, identities, signal }: ProveEdgeOptions,
): Promise<string | null> {
  for await (const { reader } of fetchDeltas({
    store,
    deltas: [entry],
    spoolDir,
    fetchersMax: 1,
    identities,
    signal,
  })) {
    const digest = await digestOfRevisionIn(reader, revision, signal);
    return digest.rowCount === 0 ? null : digest.hex();
  }
  return null;
}

function noteLeases(newest: Map<bigint, LeaseRecord>, records: readonly LeaseRecord[]): void {
  for (const record of records) {
    const known = newest.get(record.id);
    if (known === undefined || known.askedAtRevision <= record.askedAtRevision) newest.set(record.id, record);
  }
}

/** A lease that was granted anew under its old id has another TTL in good order, so this is a note and no verdict. */
function differingLeases(file: BoltFile, newest: ReadonlyMap<bigint, LeaseRecord>, revision: number): number {
  let differing = 0;
  for (const [id, { ttlSeconds }] of readLeases(file)) {
    const record = newest.get(id);
    if (record === undefined || record.grantedTtlSeconds === 0 || record.askedAtRevision > revision) continue;
    if (record.grantedTtlSeconds !== ttlSeconds) differing++;
  }
  return differing;
}
