import { BoltFile } from '../bolt/bolt-file.ts';
import type { BoltWriter } from '../bolt/bolt-writer.ts';
import type { Bucket } from '../bolt/bucket.ts';
import type { RightEdge } from '../bolt/right-edge.ts';
import { EtcdOpsError } from '../base/errors.ts';
import { rewriteStoreBuckets, type BucketEntry } from '../datadir/store-buckets.ts';
import type { LeaseRecord } from '../mvcc/lease-record.ts';
import { encodeLeaseRow, readLeases, type StoredLease } from '../mvcc/leases.ts';
import { leasesOfLiveKeys } from '../mvcc/live-leases.ts';
import { encodeRevisionKey, type Revision } from '../mvcc/revision.ts';
import { readStoreInfo, ROW_BUCKET, type StoreInfo } from '../mvcc/store-info.ts';
import { appendDeltas, type AppendedDeltas } from './append-deltas.ts';
import { blaming, DamagedObjectError } from './damaged-object.ts';
import { fetchDeltas } from './fetch-deltas.ts';
import { planLeases, type LeasePlan } from './lease-plan.ts';
import { readLeaseHints, readLeaseRecords } from './lease-hints.ts';
import type { RestoreOptions, RestoreSettings } from './restore-options.ts';

const SCHEDULED_COMPACT = 'scheduledCompactRev';

export interface FullFacts {
  info: StoreInfo;
  /** The leases that the full holds. */
  leases: Map<bigint, StoredLease>;
  /** For a full that is cut: leases of the keys that live at the plan's revision. */
  referencedLeases: Map<bigint, Revision>;
}

/** Reads what a fetched full says about itself, and compares it with its manifest and the plan. */
export async function readFullFacts(path: string, options: RestoreOptions): Promise<FullFacts> {
  const { full, revision, cutFull } = options.plan;
  return await blaming(full.key, async () => {
    using file = BoltFile.open(path);
    const info = readStoreInfo(file);
    const { manifest } = full;
    if (info.revision !== manifest.revision || info.compactRevision !== manifest.compactRevision) {
      const rule = `it holds the revision ${info.revision}, compacted at ${info.compactRevision}; its manifest says ${manifest.revision}, ${manifest.compactRevision}`;
      throw new DamagedObjectError('OBJECT_DAMAGED', full.key, { rule });
    }
    if (revision < info.compactRevision || revision < info.revision !== cutFull) {
      throw new EtcdOpsError('REVISION_NOT_RESTORABLE', {
        message: `The plan asks ${full.key} for revision ${revision}, which it cannot give`,
      });
    }
    const leases = readLeases(file);
    const live = cutFull ? await leasesOfLiveKeys(file, revision, { signal: options.signal }) : [];
    return { info, leases, referencedLeases: new Map([...live].map((id) => [id, revision])) };
  });
}

interface RowsContext {
  settings: RestoreSettings;
  spoolDir: string;
  onBytes: (bytes: number) => void;
}

/** Brings the rows of the file to the plan's revision: cuts those above it, or appends those of the deltas. */
export async function writeRows(
  writer: BoltWriter,
  facts: FullFacts,
  options: RestoreOptions,
  context: RowsContext,
): Promise<AppendedDeltas> {
  const { plan } = options;
  const nothing: AppendedDeltas = {
    lastRevision: plan.revision,
    rows: 0,
    rowBytes: 0,
    leaseRecords: [],
    referencedLeases: facts.referencedLeases,
  };
  const bumped = context.settings.bumpedRevision;
  if (!plan.cutFull && plan.deltas.length === 0 && bumped === undefined) return nothing;
  const dropFrom = plan.cutFull ? encodeRevisionKey(plan.revision + 1) : undefined;
  const edge = await blaming(plan.full.key, async () => writer.rightEdge(ROW_BUCKET, { dropFrom }));
  const appended = plan.deltas.length === 0 ? nothing : await appendPlanned(edge, writer, facts, options, context);
  // Source: etcdutl/snapshot/v3_snapshot.go, modifyLatestRevision: a row without a value.
  if (bumped !== undefined) edge.append(encodeRevisionKey(bumped), Buffer.alloc(0));
  await blaming(plan.full.key, async () => edge.finish());
  if (appended.lastRevision !== plan.revision) {
    throw new EtcdOpsError('REVISION_NOT_RESTORABLE', {
      message: `The planned objects end at revision ${appended.lastRevision}, not at ${plan.revision}`,
    });
  }
  return appended;
}

async function appendPlanned(
  edge: RightEdge,
  writer: BoltWriter,
  facts: FullFacts,
  { store, plan, identities, signal }: RestoreOptions,
  context: RowsContext,
): Promise<AppendedDeltas> {
  const { settings, spoolDir, onBytes } = context;
  return await appendDeltas({
    deltas: fetchDeltas({
      store,
      deltas: plan.deltas,
      spoolDir,
      fetchersMax: settings.fetchersMax,
      identities,
      signal,
      onBytes,
    }),
    edge,
    settle: async () => writer.settle(1),
    after: facts.info.revision,
    upTo: plan.revision,
    clusterId: BigInt(`0x${plan.full.manifest.clusterId}`),
    timeline: plan.timeline,
    signal,
  });
}

/** Decides the leases, and gives the store its new membership. */
export async function writeStoreBuckets(
  writer: BoltWriter,
  facts: FullFacts,
  appended: AppendedDeltas,
  options: RestoreOptions,
  settings: RestoreSettings,
): Promise<{ leases: LeasePlan; warnings: string[] }> {
  const { revision } = options.plan;
  const input = {
    revision,
    base: new Map([...facts.leases].map(([id, { ttlSeconds }]) => [id, ttlSeconds])),
    referenced: appended.referencedLeases,
    unknownTtlSeconds: settings.leaseUnknownTtlSeconds,
  };
  const learned = await readLeaseRecords(options.store, options.plan.leases ?? [], options);
  const records = [...appended.leaseRecords, ...learned.records];
  const { warnings } = learned;
  let leases = planLeases({ ...input, records });
  if (leases.unknown.length > 0) {
    const { leaseDeltas = [], leaseObjects = [] } = options;
    const sources = { deltas: leaseDeltas, leases: leaseObjects };
    const hints = await readLeaseHints(options.store, sources, new Set(leases.unknown), options);
    warnings.push(...hints.warnings);
    leases = planLeases({ ...input, records: [...records, ...hints.records.filter(isLater(revision))] });
  }
  const rows = leaseRows(leases, facts, settings);
  const source = { bucketEntries: (name: string) => storedEntries(writer, name, settings.bumpedRevision) };
  const { dropAlarms = false } = options;
  rewriteStoreBuckets(source, writer, {
    membership: settings.membership,
    target: settings.target,
    leases: rows,
    dropAlarms,
  });
  if (settings.leases === 'drop' && leases.ttlSeconds.size > 0) {
    warnings.push(`${leases.ttlSeconds.size} leases were dropped: keys that had one of them will not expire.`);
  } else if (leases.unknown.length > 0) warnings.push(sayUnknown(leases.unknown.length, settings));
  return { leases, warnings };
}

function sayUnknown(count: number, { leaseUnknownTtlSeconds: seconds }: RestoreSettings): string {
  const leases = count === 1 ? 'The TTL of 1 lease is' : `The TTLs of ${count} leases are`;
  return `${leases} in no backup: ${seconds} s were assumed, and their keys go when those are over unless somebody keeps the lease alive. --lease-unknown-ttl sets another time.`;
}

function leaseRows(leases: LeasePlan, facts: FullFacts, settings: RestoreSettings): BucketEntry[] {
  if (settings.leases === 'drop') return [];
  return [...leases.ttlSeconds].map(([id, ttlSeconds]) => {
    const stored = facts.leases.get(id);
    // What a delta knows is newer than the full: the checkpoint was another lease's, or is outdated.
    const keeps = settings.leases === 'keep' && stored?.ttlSeconds === ttlSeconds;
    return encodeLeaseRow(id, ttlSeconds, keeps ? stored.remainingTtlSeconds : 0);
  });
}

/** The entries of a bucket; of `meta` with the compaction that a bump asks for: etcd does it when it boots. */
function storedEntries(writer: BoltWriter, name: string, bumped: Revision | undefined): BucketEntry[] {
  const entries = entriesOf(writer.bucket(name));
  if (name !== 'meta' || bumped === undefined) return entries;
  const others = entries.filter(({ key }) => Buffer.from(key).toString('latin1') !== SCHEDULED_COMPACT);
  return [...others, { key: Buffer.from(SCHEDULED_COMPACT), value: encodeRevisionKey(bumped) }];
}

/** Reads the finished file back: it must be at the plan's revision, and at the raft index that the log will say. */
export function checkDatabase(
  path: string,
  facts: FullFacts,
  options: RestoreOptions,
  settings: RestoreSettings,
): number {
  using file = BoltFile.open(path);
  const info = readStoreInfo(file);
  const { bumpedRevision } = settings;
  const revision = bumpedRevision ?? options.plan.revision;
  const compactRevision = bumpedRevision ?? facts.info.compactRevision;
  const expected = [revision, compactRevision, settings.membership.members.length];
  const found = [info.revision, info.compactRevision, Number(info.consistentIndex)];
  if (found.some((value, index) => value !== expected[index])) {
    throw new EtcdOpsError('PROOF_FAILED', {
      message: `The restored file is at revision, compact revision and raft index ${found.join(', ')}; it should be at ${expected.join(', ')}`,
      remedy: 'This is a defect of etcd-ops: nothing was left behind; please report it with the plan.',
    });
  }
  return file.fileBytes;
}

function entriesOf(bucket: Bucket | undefined): BucketEntry[] {
  const entries: BucketEntry[] = [];
  const cursor = bucket?.cursor();
  if (cursor === undefined) return entries;
  for (let found = cursor.first(); found; found = cursor.next()) {
    entries.push({ key: Buffer.from(cursor.key), value: Buffer.from(cursor.value) });
  }
  return entries;
}

/** A record of the past of a lease that is at hand says nothing new; one of its future knows its TTL. */
function isLater(revision: Revision): (record: LeaseRecord) => boolean {
  return (record) => record.grantedTtlSeconds > 0 || record.askedAtRevision > revision;
}
