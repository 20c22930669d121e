import { describeError, EtcdOpsError, isEtcdOpsError } from '../base/errors.ts';
import { DELTA_BYTES_MIN } from '../delta/delta-format.ts';
import type { ObjectInfo, ObjectStore } from '../storage/object-store.ts';
import { DOCUMENT_BYTES_MAX } from './checked-json.ts';
import { decodeManifest, type FullManifest } from './full-manifest.ts';
import {
  clusterPrefix,
  manifestKey,
  parseObjectKey,
  type DeltaKeyFacts,
  type Encryption,
  type FullKeyFacts,
  type LeaseObjectKeyFacts,
} from './object-key.ts';
import { readDoubts } from './read-proofs.ts';
import type { Doubt } from './proof-doubts.ts';
import { readListedRecords, type RetentionRecords } from './read-retention-records.ts';
import { decodeTimelineRecord, type TimelineRecord } from './repository-records.ts';

/** Manifests that are read side by side. */
const READS_PARALLEL = 16;

/** A full that exists: its data and a sound manifest that fits it. */
export interface FullEntry {
  key: string;
  timeline: number;
  /** S. */
  revision: number;
  createdAtMs: number;
  /** Stored bytes. */
  bytes: number;
  modifiedAtMs: number;
  manifest: FullManifest;
}

/** A delta, as its name and size tell; nobody has looked into it. */
export interface DeltaEntry {
  key: string;
  timeline: number;
  first: number;
  last: number;
  /** 0 when no time is known. */
  lastObservedMs: number;
  /** Stored bytes. */
  bytes: number;
  modifiedAtMs: number;
  /** Absent: stored in clear. */
  encryption?: Encryption | undefined;
}

/** A lease object, as its name and size tell. */
export interface LeaseEntry {
  key: string;
  timeline: number;
  revision: number;
  observedMs: number;
  /** Stored bytes. */
  bytes: number;
  modifiedAtMs: number;
  /** Absent: stored in clear. */
  encryption?: Encryption | undefined;
}

export interface TimelineInventory {
  timeline: number;
  record?: TimelineRecord;
  /** By revision, then by time; several fulls may have one revision. */
  fulls: FullEntry[];
  /** By first, then by last revision; they may overlap. */
  deltas: DeltaEntry[];
  /** By revision, then by time. Absent: none. */
  leases?: LeaseEntry[];
}

/** Half of a full: data without a manifest (an upload that runs or was broken off), or a manifest without its data. */
export interface IncompleteEntry {
  key: string;
  missing: 'manifest' | 'data';
  bytes: number;
  modifiedAtMs: number;
}

/** An object that is there but cannot be used. */
export interface DamagedEntry {
  key: string;
  reason: string;
}

/** All that lies in the folder of one cluster. */
export interface Inventory {
  cluster: string;
  /** Ascending. */
  timelines: TimelineInventory[];
  /** Keys that etcd-ops did not write; never touched. */
  foreign: string[];
  incomplete: IncompleteEntry[];
  damaged: DamagedEntry[];
  /** Objects that a failed proof speaks against; plans go round them where they can. Absent: none. */
  doubts?: Doubt[];
  /** Pins, holds and marks. Absent: nobody looked. */
  retention?: RetentionRecords;
}

type FullObject = ObjectInfo & FullKeyFacts;

interface Listing {
  fulls: Map<string, FullObject>;
  manifests: Map<string, ObjectInfo>;
  deltas: (ObjectInfo & DeltaKeyFacts)[];
  leases: (ObjectInfo & LeaseObjectKeyFacts)[];
  timelineRecords: Map<number, string>;
  proofs: string[];
  retentionRecords: ObjectInfo[];
  foreign: string[];
}

/**
 * Lists a cluster's folder and reads its manifests. A damaged or foreign object is reported in the result, never an error:
 * one bad object must not hide the good ones. An empty folder gives an inventory without timelines.
 * @throws EtcdOpsError STORE_FAILED and CANCELLED.
 */
export async function readInventory(
  store: ObjectStore,
  cluster: string,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<Inventory> {
  const { signal } = options;
  const listing = await listCluster(store, cluster, signal);
  const inventory = new InventoryBuilder(cluster, listing.foreign);
  const pairs = inventory.addPairs(listing);
  const jobs = [
    ...pairs.map(
      (pair) => async () =>
        await inventory.addFull(pair, async () => await readDocument(store, manifestKey(pair.key), signal)),
    ),
    ...Array.from(listing.timelineRecords, ([timeline, key]) => async () => {
      await inventory.addTimelineRecord(timeline, key, async () => await readDocument(store, key, signal));
    }),
  ];
  await runBounded(jobs, signal);
  for (const delta of listing.deltas) inventory.addDelta(delta);
  for (const leases of listing.leases) inventory.addLeases(leases);
  const damagedRecords: DamagedEntry[] = [];
  const doubts = await readDoubts(store, listing.proofs, { signal, damaged: damagedRecords, deltas: listing.deltas });
  const retention = await readListedRecords(store, listing.retentionRecords, { signal });
  damagedRecords.push(...retention.damaged.map(({ key, reason }) => ({ key, reason })));
  const found = inventory.finish();
  return {
    ...found,
    retention,
    damaged: [...found.damaged, ...damagedRecords].toSorted(compareKeys),
    ...(doubts.length === 0 ? {} : { doubts }),
  };
}

/** The names of all that lies in the folder of one cluster. */
export async function listCluster(
  store: ObjectStore,
  cluster: string,
  signal: AbortSignal | undefined,
): Promise<Listing> {
  const listing: Listing = {
    fulls: new Map(),
    manifests: new Map(),
    deltas: [],
    leases: [],
    timelineRecords: new Map(),
    proofs: [],
    retentionRecords: [],
    foreign: [],
  };
  for await (const found of store.list(clusterPrefix(cluster), signal === undefined ? {} : { signal })) {
    const parsed = parseObjectKey(found.key);
    if (parsed === undefined) listing.foreign.push(found.key);
    else if (parsed.kind === 'full') listing.fulls.set(found.key, { ...found, ...parsed });
    else if (parsed.kind === 'manifest') listing.manifests.set(parsed.fullKey, found);
    else if (parsed.kind === 'delta') listing.deltas.push({ ...found, ...parsed });
    else if (parsed.kind === 'leases') listing.leases.push({ ...found, ...parsed });
    else if (parsed.kind === 'proof') listing.proofs.push(found.key);
    else if (['pin', 'hold', 'mark'].includes(parsed.kind)) listing.retentionRecords.push(found);
    else if (parsed.kind === 'timeline') listing.timelineRecords.set(parsed.timeline, found.key);
  }
  return listing;
}

async function readDocument(store: ObjectStore, key: string, signal: AbortSignal | undefined): Promise<Buffer> {
  return await store.get(key, { bytesMax: DOCUMENT_BYTES_MAX, ...(signal === undefined ? {} : { signal }) });
}

class InventoryBuilder {
  readonly #cluster: string;
  readonly #timelines = new Map<number, TimelineInventory>();
  readonly #foreign: string[];
  readonly #incomplete: IncompleteEntry[] = [];
  readonly #damaged: DamagedEntry[] = [];

  constructor(cluster: string, foreign: string[]) {
    this.#cluster = cluster;
    this.#foreign = foreign;
  }

  /** Notes what lacks its other half; returns the fulls that have both. */
  addPairs({ fulls, manifests }: Listing): FullObject[] {
    for (const [key, found] of manifests) {
      if (!fulls.has(key)) {
        this.#incomplete.push({
          key: found.key,
          missing: 'data',
          bytes: found.bytes,
          modifiedAtMs: found.modifiedAtMs,
        });
      }
    }
    const pairs: FullObject[] = [];
    for (const full of fulls.values()) {
      if (manifests.has(full.key)) pairs.push(full);
      else {
        this.#incomplete.push({
          key: full.key,
          missing: 'manifest',
          bytes: full.bytes,
          modifiedAtMs: full.modifiedAtMs,
        });
      }
    }
    return pairs;
  }

  async addFull(full: FullObject, read: () => Promise<Buffer>): Promise<void> {
    const manifest = await this.#decoded(manifestKey(full.key), async () => decodeManifest(await read()));
    if (manifest === undefined) return;
    const { key, timeline, revision, createdAtMs, bytes, modifiedAtMs } = full;
    if (
      (['cluster', 'timeline', 'revision', 'codec'] as const).some((name) => manifest[name] !== full[name]) ||
      manifest.encryption?.format !== full.encryption
    ) {
      this.#damaged.push({ key: manifestKey(key), reason: 'the manifest is that of another full' });
    } else if (manifest.storedBytes !== bytes) {
      this.#damaged.push({ key, reason: `it has ${bytes} bytes and its manifest records ${manifest.storedBytes}` });
    } else {
      this.#timeline(timeline).fulls.push({ key, timeline, revision, createdAtMs, bytes, modifiedAtMs, manifest });
    }
  }

  async addTimelineRecord(timeline: number, key: string, read: () => Promise<Buffer>): Promise<void> {
    const record = await this.#decoded(key, async () => decodeTimelineRecord(await read()));
    if (record === undefined) return;
    if (record.timeline === timeline) this.#timeline(timeline).record = record;
    else this.#damaged.push({ key, reason: `it describes the timeline ${record.timeline}` });
  }

  addDelta(found: ObjectInfo & DeltaKeyFacts): void {
    const { key, timeline, first, last, lastObservedMs, bytes, modifiedAtMs, encryption } = found;
    if (bytes < DELTA_BYTES_MIN) {
      this.#damaged.push({ key, reason: `${bytes} bytes are too few for a delta` });
      return;
    }
    const entry = { key, timeline, first, last, lastObservedMs, bytes, modifiedAtMs };
    this.#timeline(timeline).deltas.push(encryption === undefined ? entry : { ...entry, encryption });
  }

  addLeases(found: ObjectInfo & LeaseObjectKeyFacts): void {
    const { key, timeline, revision, observedMs, bytes, modifiedAtMs, encryption } = found;
    const entry = { key, timeline, revision, observedMs, bytes, modifiedAtMs };
    const own = this.#timeline(timeline);
    (own.leases ??= []).push(encryption === undefined ? entry : { ...entry, encryption });
  }

  finish(): Inventory {
    const timelines = [...this.#timelines.values()].sort((left, right) => left.timeline - right.timeline);
    for (const { fulls, deltas, leases } of timelines) {
      leases?.sort(
        (left, right) =>
          left.revision - right.revision || left.observedMs - right.observedMs || compareKeys(left, right),
      );
      fulls.sort(
        (left, right) =>
          left.revision - right.revision || left.createdAtMs - right.createdAtMs || compareKeys(left, right),
      );
      deltas.sort((left, right) => left.first - right.first || left.last - right.last || compareKeys(left, right));
    }
    this.#incomplete.sort(compareKeys);
    this.#damaged.sort(compareKeys);
    return {
      cluster: this.#cluster,
      timelines,
      foreign: this.#foreign,
      incomplete: this.#incomplete,
      damaged: this.#damaged,
    };
  }

  /** Undefined, and noted, when the object is damaged or has gone since it was listed. */
  async #decoded<T>(key: string, decode: () => Promise<T>): Promise<T | undefined> {
    try {
      return await decode();
    } catch (error) {
      // Not found: the collector took it between our listing and our reading.
      if (isEtcdOpsError(error, 'STORE_NOT_FOUND')) return undefined;
      if (!isEtcdOpsError(error, 'MANIFEST_DAMAGED') && !isEtcdOpsError(error, 'LIMIT_EXCEEDED')) throw error;
      this.#damaged.push({ key, reason: describeError(error) });
      return undefined;
    }
  }

  #timeline(timeline: number): TimelineInventory {
    const known = this.#timelines.get(timeline);
    if (known !== undefined) return known;
    const added: TimelineInventory = { timeline, fulls: [], deltas: [] };
    this.#timelines.set(timeline, added);
    return added;
  }
}

function compareKeys(left: { key: string }, right: { key: string }): number {
  return left.key < right.key ? -1 : left.key > right.key ? 1 : 0;
}

/** Runs jobs with at most READS_PARALLEL at a time; the first failure ends it. */
async function runBounded(jobs: readonly (() => Promise<void>)[], signal: AbortSignal | undefined): Promise<void> {
  let next = 0;
  let failed = false;
  const worker = async (): Promise<void> => {
    while (next < jobs.length && !failed) {
      if (signal?.aborted === true) {
        throw new EtcdOpsError('CANCELLED', { message: 'Reading the repository was cancelled' });
      }
      try {
        await jobs[next++]!();
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(READS_PARALLEL, jobs.length) }, worker));
}
