import { randomUUID } from 'node:crypto';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { EtcdOpsError } from '../base/errors.ts';
import { Yielder } from '../base/yielding.ts';
import type { Codec } from '../codec/codec.ts';
import { DeltaEncoder } from '../delta/delta-encoder.ts';
import type { DeltaFacts } from '../delta/delta-format.ts';
import type { DeltaReader } from '../delta/delta-reader.ts';
import { encryptStage } from '../encryption/age-stream.ts';
import type { Identities } from '../encryption/identities.ts';
import type { Recipients } from '../encryption/recipients.ts';
import { sealDigest } from '../encryption/sealed-digest.ts';
import { foldsIn } from '../repository/planned-leases.ts';
import type { LeaseObject } from '../lease-object/lease-object.ts';
import { encodeLeaseRecords, type LeaseRecord } from '../mvcc/lease-record.ts';
import { readStoredLeases } from '../lease-object/stored-leases.ts';
import type { DeltaEntry, LeaseEntry } from '../repository/inventory.ts';
import { deltaKey } from '../repository/object-key.ts';
import { readAhead, WriteBehind } from '../restore/copy-with-hash.ts';
import { blaming, DamagedObjectError } from '../restore/damaged-object.ts';
import { fetchDeltas } from '../restore/fetch-deltas.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { checkDeltaObject } from '../verify/check-delta-object.ts';
import type { MergeJob } from './plan-merges.ts';

export interface MergeOptions {
  store: ObjectStore;
  /** A directory of its own is made in it, and removed; the merged delta must fit into it. */
  scratchDir: string;
  /** What opens encrypted deltas. */
  identities?: Identities | undefined;
  /** Whom the result is encrypted to. Needed as soon as one of the inputs is encrypted. */
  recipients?: Recipients | undefined;
  /** Of the result; that of its first input unless told. */
  codec?: Codec | undefined;
  /** The codec's own unless told. */
  compressionLevel?: number | undefined;
  signal?: AbortSignal | undefined;
  onBytes?: (bytes: number) => void;
}

export interface MergedDelta {
  key: string;
  /** `exists`: another merger was faster. */
  outcome: 'created' | 'exists';
  inputs: number;
  inputBytes: number;
  bytes: number;
  rows: number;
  first: number;
  last: number;
}

const FETCHERS = 4;

/**
 * Makes one delta of several: the same rows, leases and times, in an object of the same format. Rows are read and written in a stream.
 * The inputs are left alone: the result is read back and found sound before this resolves, and only retention removes what it makes
 * superfluous. A crash at any moment leaves the repository as it was, or with one delta more.
 * @throws DamagedObjectError naming an input, or the result; EtcdOpsError IDENTITY_MISSING, STORE_..., DISK_FAILED, CANCELLED, and
 *   CONFIG_INVALID when encrypted deltas would be merged into one that everybody can read.
 */
export async function mergeDeltas(job: MergeJob, options: MergeOptions): Promise<MergedDelta> {
  const { recipients, scratchDir } = options;
  if (recipients === undefined && [...job.inputs, ...job.leases].some(({ encryption }) => encryption !== undefined)) {
    throw new EtcdOpsError('CONFIG_INVALID', {
      message: `The deltas ${job.first} to ${job.last} of ${job.cluster} are encrypted, and there is nobody to encrypt the merged one to`,
      remedy: 'Name the recipients, as for backing up.',
    });
  }
  const scratch = join(scratchDir, `merge-${process.pid}-${randomUUID()}`);
  await mkdir(scratch, { recursive: true, mode: 0o700 }).catch((cause: unknown) => {
    throw new EtcdOpsError('DISK_FAILED', { message: `The scratch directory ${scratch} cannot be made`, cause });
  });
  try {
    return await mergeIn(scratch, job, options);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function mergeIn(scratch: string, job: MergeJob, options: MergeOptions): Promise<MergedDelta> {
  const { store, recipients, signal } = options;
  const path = join(scratch, 'merged.delta');
  const { facts, contentSha256 } = await writeMerged(path, scratch, job, options);
  const { firstRevision: first, lastRevision: last, lastObservedMs } = facts;
  const isSealed = recipients === undefined ? {} : { encryption: 'age' as const };
  const name = { cluster: job.cluster, timeline: job.timeline, first, last, lastObservedMs, ...isSealed };
  const key = deltaKey(name);
  const sum = { key, inputs: job.inputs.length, inputBytes: job.bytes, rows: facts.rowCount, first, last };
  const spoolDir = scratch;
  const there = await entryOf(store, { ...name, key });
  if (there !== undefined && (await isSound(there, spoolDir, options))) {
    return { ...sum, outcome: 'exists', bytes: there.bytes };
  }
  const aborting = signal === undefined ? {} : { signal };
  if (recipients === undefined) await store.putFile(key, path, { move: true, ...aborting });
  else await store.putStream(key, await sealed(path, { facts, contentSha256 }, recipients), aborting);
  // Before anything may be removed for it: what the store gives back, not what was sent.
  const stored = (await entryOf(store, { ...name, key }))!;
  try {
    await checkDeltaObject({ store, entry: stored, spoolDir, identities: options.identities, claims: [], signal });
  } catch (error) {
    // A damaged one would stand in for what it was made of.
    if (error instanceof DamagedObjectError) await store.delete([key]);
    throw error;
  }
  return { ...sum, outcome: 'created', bytes: stored.bytes };
}

/** The merged delta as an age file, with what it says in clear. */
async function sealed(
  path: string,
  { facts, contentSha256 }: { facts: DeltaFacts; contentSha256: string },
  recipients: Recipients,
): Promise<AsyncIterable<Buffer>> {
  const [content, lastRevisionDigest] = await Promise.all([
    sealDigest(contentSha256),
    sealDigest(facts.lastRevisionDigest),
  ]);
  const { clusterId, timeline, firstRevision, lastRevision, bytes: plainBytes } = facts;
  const place = { clusterId: clusterId.toString(16), timeline, firstRevision, lastRevision };
  return encryptStage(recipients, { ...place, plainBytes, content, lastRevisionDigest })(chunksOf(path));
}

async function* chunksOf(path: string): AsyncGenerator<Buffer> {
  const file = await open(path, 'r');
  try {
    yield* readAhead(file);
  } finally {
    await file.close();
  }
}

async function entryOf(
  store: ObjectStore,
  name: Omit<DeltaEntry, 'bytes' | 'modifiedAtMs'> & { cluster: string },
): Promise<DeltaEntry | undefined> {
  const found = await store.stat(name.key);
  return found === undefined ? undefined : { ...name, bytes: found.bytes, modifiedAtMs: found.modifiedAtMs };
}

/** What lies there already may be what a killed merger, or a bad disk, left. */
async function isSound(
  entry: DeltaEntry,
  spoolDir: string,
  { store, identities, signal }: MergeOptions,
): Promise<boolean> {
  try {
    await checkDeltaObject({ store, entry, spoolDir, identities, claims: [], signal });
    return true;
  } catch (error) {
    if (error instanceof DamagedObjectError) return false;
    throw error;
  }
}

async function writeMerged(
  path: string,
  scratch: string,
  job: MergeJob,
  options: MergeOptions,
): Promise<{ facts: DeltaFacts; contentSha256: string }> {
  const { store, identities, signal } = options;
  const { inputs: deltas, first, last } = job;
  await using file = await WriteBehind.create(path);
  const parts: Buffer[] = [];
  const yielder = new Yielder({ signal });
  const leases = new MergedLeases();
  const between = await recordsBetween(job, options);
  let encoder: DeltaEncoder | undefined;
  let clusterId: bigint | undefined;
  const fetched = fetchDeltas({
    ...{ store, deltas, spoolDir: scratch, fetchersMax: FETCHERS, identities, signal },
    onBytes: (bytes) => options.onBytes?.(bytes),
  });
  for await (const { entry, reader } of fetched) {
    await blaming(entry.key, async () => {
      encoder ??= newEncoder(reader, options, parts);
      clusterId ??= reader.facts.clusterId;
      requireSameHistory(entry, reader, clusterId);
      const reached = Math.max(first - 1, encoder.lastRevision);
      for await (const block of reader.rowBlocks({ fromRevision: reached + 1, toRevision: last, signal })) {
        encoder.addRows(block, block.firstRowAbove(reached), block.firstRowAbove(last));
        for (const part of parts.splice(0)) await file.write(part);
        await yielder.tick(block.bytes.length);
      }
      leases.add(await reader.leases());
      while ((between[0]?.revision ?? Infinity) <= reader.facts.lastRevision) leases.add(between.shift()!.records);
      for (const { revision, observedMs } of await reader.times()) {
        if (revision >= first && revision <= last) encoder.addTime(revision, observedMs);
      }
    });
  }
  encoder!.addLeases(leases.records);
  const { facts, contentSha256 } = encoder!.finish();
  for (const part of parts.splice(0)) await file.write(part);
  await file.finish(file.bytes);
  if (facts.firstRevision !== first || facts.lastRevision !== last) {
    throw new EtcdOpsError('DELTA_DAMAGED', {
      message: `The deltas gave the revisions ${facts.firstRevision} to ${facts.lastRevision}, and not ${first} to ${last}`,
    });
  }
  return { facts, contentSha256 };
}

/** What was learned when no rows came, by revision; a merged delta among the inputs may hold it already. */
async function recordsBetween({ leases, inputs }: MergeJob, options: MergeOptions): Promise<LeaseObject[]> {
  const isFolded = (entry: LeaseEntry): boolean => inputs.some((input) => foldsIn(input, entry));
  const between: LeaseObject[] = [];
  for (const entry of leases) {
    if (!isFolded(entry)) between.push(await readStoredLeases(options.store, entry, options));
  }
  return between;
}

/** The epoch is that of the first input: a merge of merged deltas gives the bytes that a merge of the small ones gives. */
function newEncoder({ facts }: DeltaReader, options: MergeOptions, parts: Buffer[]): DeltaEncoder {
  const { clusterId, timeline, epoch } = facts;
  const { codec = facts.codec, compressionLevel } = options;
  const level = compressionLevel === undefined ? {} : { compressionLevel };
  const identity = { clusterId, timeline, epoch, codec, ...level };
  return new DeltaEncoder(identity, { sink: (part) => void parts.push(part) });
}

function requireSameHistory(entry: DeltaEntry, { facts }: DeltaReader, clusterId: bigint): void {
  if (facts.timeline === entry.timeline && facts.clusterId === clusterId) return;
  throw new DamagedObjectError('DELTA_DAMAGED', entry.key, { rule: 'it belongs to another cluster or timeline' });
}

/** Lease records in the order in which they were learned, each once: overlapping deltas may both hold one. */
class MergedLeases {
  readonly records: LeaseRecord[] = [];
  readonly #seen = new Set<string>();

  add(records: readonly LeaseRecord[]): void {
    for (const record of records) {
      const bytes = encodeLeaseRecords([record]).toString('latin1');
      if (this.#seen.has(bytes)) continue;
      this.#seen.add(bytes);
      this.records.push(record);
    }
  }
}
