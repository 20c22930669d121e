import { BoltFile } from '../bolt/bolt-file.ts';
import type { BoltWriter } from '../bolt/bolt-writer.ts';
import type { Bucket } from '../bolt/bucket.ts';
import { EtcdOpsError } from '../base/errors.ts';
import { rewriteStoreBuckets, type BucketEntry } from '../datadir/store-buckets.ts';
import type { LeaseRecord } from '../mvcc/lease-record.ts';
import { encodeLeaseRow, readLeases } from '../mvcc/leases.ts';
import { leasesOfLiveKeys } from '../mvcc/live-leases.ts';
import { encodeRevisionKey, type Revision } from '../mvcc/revision.ts';
import { readStoreInfo, ROW_BUCKET, type StoreInfo } from '../mvcc/store-info.ts';
import { appendDeltas, type AppendedDeltas } from './append-deltas.ts';
import { blaming, DamagedObjectError } from './damaged-object.ts';
import { fetchDeltas } from './fetch-deltas.ts';
import { planLeases, type LeasePlan } from './lease-plan.ts';
import { readLeaseHints } from './lease-hints.ts';
import type { RestoreOptions, RestoreSettings } from './restore-options.ts';

export interface FullFacts {
  info: StoreInfo;
  /** TTL in seconds of the leases that the full holds. */
  leases: Map<bigint, number>;
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
    const leases = new Map([...readLeases(file)].map(([id, { ttlSeconds }]) => [id, ttlSeconds]));
    const live = cutFull ? await leasesOfLiveKeys(file, revision, { signal: options.signal }) : [];
    return { info, leases, referencedLeases: new Map([...live].map((id) => [id, revision])) };
  });
}

/** Brings the rows of the file to the plan's revision: cuts those above it, or appends those of the deltas. */
export async function writeRows(
  writer: BoltWriter,
  facts: FullFacts,
  options: RestoreOptions,
  context: { settings: RestoreSettings; spoolDir: string; onBytes: (bytes: number) => void },
): Promise<AppendedDeltas> {
  const { plan, signal } = options;
  const nothing: AppendedDeltas = {
    lastRevision: plan.revision,
    rows: 0,
    rowBytes: 0,
    leaseRecords: [],
    referencedLeases: facts.referencedLeases,
  };
  if (plan.cutFull) {
    await blaming(plan.full.key, async () =>
      writer.rightEdge(ROW_BUCKET, { dropFrom: encodeRevisionKey(plan.revision + 1) }).finish(),
    );
    return nothing;
  }
  if (plan.deltas.length === 0) return nothing;
  const edge = await blaming(plan.full.key, async () => writer.rightEdge(ROW_BUCKET));
  const appended = await appendDeltas({
    deltas: fetchDeltas({
      store: options.store,
      deltas: plan.deltas,
      spoolDir: context.spoolDir,
      fetchersMax: context.settings.fetchersMax,
      signal,
      onBytes: context.onBytes,
    }),
    edge,
    settle: () => writer.settle(1),
    after: facts.info.revision,
    upTo: plan.revision,
    clusterId: BigInt(`0x${plan.full.manifest.clusterId}`),
    timeline: plan.timeline,
    signal,
  });
  edge.finish();
  if (appended.lastRevision !== plan.revision) {
    throw new EtcdOpsError('REVISION_NOT_RESTORABLE', {
      message: `The planned objects end at revision ${appended.lastRevision}, not at ${plan.revision}`,
    });
  }
  return appended;
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
    base: facts.leases,
    referenced: appended.referencedLeases,
    unknownTtlSeconds: settings.leaseUnknownTtlSeconds,
  };
  let leases = planLeases({ ...input, records: appended.leaseRecords });
  const warnings: string[] = [];
  if (leases.unknown.length > 0 && options.leaseDeltas !== undefined) {
    const hints = await readLeaseHints(options.store, options.leaseDeltas, new Set(leases.unknown), options.signal);
    warnings.push(...hints.warnings);
    leases = planLeases({ ...input, records: [...appended.leaseRecords, ...hints.records.filter(isLater(revision))] });
  }
  const rows = [...leases.ttlSeconds].map(([id, ttlSeconds]) => encodeLeaseRow(id, ttlSeconds));
  const source = { bucketEntries: (name: string) => entriesOf(writer.bucket(name)) };
  const { dropAlarms = false } = options;
  rewriteStoreBuckets(source, writer, {
    membership: settings.membership,
    target: settings.target,
    leases: rows,
    dropAlarms,
  });
  return { leases, warnings };
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
  const expected = [options.plan.revision, facts.info.compactRevision, settings.membership.members.length];
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
