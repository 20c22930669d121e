import {
  EtcdOpsError,
  headOf,
  manifestKey,
  openStoredDelta,
  noBackup,
  parseObjectKey,
  readDeltaEnd,
  restorableRanges,
  type DeltaEntry,
  type FullEntry,
  type Identities,
  type Inventory,
  type ObjectStore,
} from '@etcd-ops/core';
import { readLayout } from '../layouts/read-layout.ts';
import type { AdoptingOptions } from '../options/layout-options.ts';
import { identitiesOf, type IdentityOptions } from '../options/packing-options.ts';
import type { RepositoryOptions } from '../options/repository-options.ts';
import { emitJson, emitText } from '../output/emit.ts';
import { formatBytes, formatCount, renderTable } from '../output/table.ts';

export interface InfoOptions extends RepositoryOptions, AdoptingOptions, IdentityOptions {
  output: 'table' | 'json';
}

export type Facts = Record<string, unknown>;

/** One object of a repository, or the repository in short. @throws EtcdOpsError STORE_NOT_FOUND, DELTA_DAMAGED, MANIFEST_DAMAGED. */
export async function runInfo(options: InfoOptions, object: string | undefined): Promise<void> {
  const { store, inventory, foreign } = await readLayout(options);
  if (foreign !== undefined) {
    const { foreignFacts } = await import('../layouts/foreign-facts.ts');
    return emit(await foreignFacts(store, foreign, object, options), options);
  }
  const facts =
    object === undefined
      ? await repositoryFacts(store, inventory)
      : await objectFacts(store, inventory, object, await identitiesOf(options));
  emit(facts, options);
}

function emit(facts: Facts, { output }: InfoOptions): void {
  if (output === 'json') return emitJson(facts);
  emitText(renderTable(['what', String(facts['kind'])], rowsOf(facts)));
}

async function repositoryFacts(store: ObjectStore, inventory: Inventory): Promise<Facts> {
  const fulls = inventory.timelines.flatMap((timeline) => timeline.fulls);
  const deltas = inventory.timelines.flatMap((timeline) => timeline.deltas);
  const newest = fulls.at(-1);
  if (newest === undefined) throw noBackup(inventory);
  const head = await headOf(store, inventory);
  const last = restorableRanges(inventory).at(-1);
  return {
    kind: 'repository',
    layout: 'native',
    cluster: inventory.cluster,
    store: store.description,
    clusterId: newest.manifest.clusterId,
    etcdVersion: newest.manifest.etcdVersion,
    timelines: inventory.timelines.length,
    fulls: fulls.length,
    fullBytes: sum(fulls),
    deltas: deltas.length,
    deltaBytes: sum(deltas),
    headRevision: head?.revision,
    newestTime: iso(last?.toTimeMs),
    newestFull: newest.key,
    incomplete: inventory.incomplete.length,
    damaged: inventory.damaged.length,
    foreign: inventory.foreign.length,
  };
}

async function objectFacts(
  store: ObjectStore,
  inventory: Inventory,
  object: string,
  identities: Identities | undefined,
): Promise<Facts> {
  for (const { fulls, deltas } of inventory.timelines) {
    const full = fulls.find(({ key }) => isNamed(key, object) || isNamed(manifestKey(key), object));
    if (full !== undefined) return fullFacts(full);
    const delta = deltas.find(({ key }) => isNamed(key, object));
    if (delta !== undefined) return await deltaFacts(store, delta, identities);
  }
  const damage = inventory.damaged.find(({ key }) => isNamed(key, object));
  if (damage !== undefined) {
    throw new EtcdOpsError('OBJECT_DAMAGED', { message: `${damage.key} cannot be used: ${damage.reason}` });
  }
  const half = inventory.incomplete.find(({ key }) => isNamed(key, object));
  if (half !== undefined) {
    throw new EtcdOpsError('OBJECT_DAMAGED', {
      message: `${half.key} is half of a full: its ${half.missing} is missing`,
      remedy: 'An upload runs, or was broken off; the garbage collector removes it later.',
    });
  }
  const kind = parseObjectKey(object)?.kind;
  throw new EtcdOpsError('STORE_NOT_FOUND', {
    message: `${store.description} has no ${kind ?? 'object'} ${object} of ${inventory.cluster}`,
    remedy: '`etcd-ops list` shows the fulls; `etcd-ops list -o json` the deltas, too.',
  });
}

function isNamed(key: string, object: string): boolean {
  return key === object || key.endsWith(`/${object}`);
}

export function fullFacts({ key, manifest }: FullEntry): Facts {
  const { version: _, kind, ...facts } = manifest;
  return { kind, key, ...facts };
}

/** Of an encrypted delta without a key: what it says in clear. A key that is given and does not fit is an error. */
export async function deltaFacts(
  store: ObjectStore,
  entry: DeltaEntry,
  identities: Identities | undefined,
): Promise<Facts> {
  if (entry.encryption !== undefined && identities === undefined) {
    const { recipients, ...end } = await readDeltaEnd(store, entry);
    const { timeline, firstRevision, lastRevision, clusterId } = end;
    const revisions = { timeline, firstRevision, lastRevision, clusterId: clusterId.toString(16) };
    const lastObserved = iso(entry.lastObservedMs);
    const encryption = { format: entry.encryption, recipients };
    return { kind: 'delta', key: entry.key, ...revisions, lastObserved, encryption, storedBytes: entry.bytes };
  }
  const reader = await openStoredDelta(store, entry, { identities });
  const { facts } = reader;
  const leases = await reader.leases();
  return {
    kind: 'delta',
    key: entry.key,
    timeline: facts.timeline,
    firstRevision: facts.firstRevision,
    lastRevision: facts.lastRevision,
    rows: facts.rowCount,
    rowBytes: facts.rowBytes,
    leases: leases.length,
    firstObserved: iso(facts.firstObservedMs),
    lastObserved: iso(facts.lastObservedMs),
    clusterId: facts.clusterId.toString(16),
    epoch: facts.epoch,
    codec: facts.codec,
    ...(entry.encryption === undefined ? {} : { encryption: { format: entry.encryption }, plainBytes: facts.bytes }),
    storedBytes: entry.bytes,
    sha256: facts.sha256,
    lastRevisionDigest: facts.lastRevisionDigest,
  };
}

function rowsOf(facts: Facts): string[][] {
  return Object.entries(facts)
    .filter(([name, value]) => name !== 'kind' && value !== undefined && value !== null)
    .map(([name, value]) => [words(name), show(name, value)]);
}

/** `firstRevision` -> `first revision`. */
function words(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

function show(name: string, value: unknown): string {
  if (typeof value === 'number') return /bytes$/i.test(name) ? formatBytes(value) : formatCount(value);
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function sum(entries: readonly { bytes: number }[]): number {
  return entries.reduce((total, { bytes }) => total + bytes, 0);
}

function iso(timeMs: number | undefined): string | undefined {
  return timeMs === undefined || timeMs === 0 ? undefined : new Date(timeMs).toISOString();
}
