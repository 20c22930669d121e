import {
  gaps,
  markedKeys,
  noBackup,
  readProofs,
  restorableRanges,
  seenMsAtOrBelow,
  seenMsOf,
  type ForeignLayout,
  type ForeignRepository,
  type FullEntry,
  type FullManifest,
  type Gap,
  type Inventory,
  type Proofs,
  type PinRecord,
  type TimelineInventory,
} from '@etcd-ops/core';
import { readLayout } from '../layouts/read-layout.ts';
import type { LayoutOptions } from '../options/layout-options.ts';
import { emitJson, emitText } from '../output/emit.ts';
import { formatBytes, formatCount, formatNumberOf, renderTable } from '../output/table.ts';
import { formatTime } from '../output/times.ts';
import type { ChosenStoreOptions } from './chosen-store.ts';
import { describeProofs, sayProofs } from './describe-proofs.ts';
import { supersededFulls } from './superseded-fulls.ts';

const SHOWN_MAX = 20;
const NO_PROOFS: Proofs = { chains: [], edges: [], provenChains: [], damaged: [] };
const NAMES: Record<ForeignLayout, string> = { seed: 'the older etcd-ops', gardener: 'gardener etcd-backup-restore' };

/** Prints what is stored and what can be restored. @throws EtcdOpsError NO_BACKUP for a repository without a full, OBJECT_DAMAGED or MANIFEST_DAMAGED when all of its fulls are damaged. */
export async function runList(
  options: ChosenStoreOptions & LayoutOptions & { output: 'table' | 'json' },
): Promise<void> {
  const { store, inventory, foreign } = await readLayout(options);
  const layout = foreign?.layout ?? 'native';
  const proofs = foreign === undefined ? await readProofs(store, options.clusterName) : NO_PROOFS;
  if (options.output === 'json') emitJson({ layout, ...describe(inventory, proofs) });
  else if (foreign !== undefined) emitText([...sayForeign(foreign), renderInventory(inventory)].join('\n'));
  // Empty tables would only hide what is said below.
  else if (holdsAnything(inventory)) emitText([renderInventory(inventory), ...sayProofs(inventory, proofs)].join('\n'));
  if (inventory.timelines.every(({ fulls }) => fulls.length === 0)) {
    throw noBackup(inventory);
  }
}

function holdsAnything({ timelines, incomplete, damaged, foreign }: Inventory): boolean {
  return timelines.length + incomplete.length + damaged.length + foreign.length > 0;
}

/** Names alone promise one revision of each full, whatever history it holds. */
function sayForeign({ layout }: ForeignRepository): string[] {
  return [`Written by ${NAMES[layout]}; known by names alone. Fulls may hold older revisions, too.`, ''];
}

function describe(inventory: Inventory, proofs: Proofs): Record<string, unknown> {
  return {
    cluster: inventory.cluster,
    restorable: restorableRanges(inventory).map(({ fromTimeMs, toTimeMs, ...range }) => ({
      ...range,
      fromTime: iso(fromTimeMs),
      toTime: iso(toTimeMs),
    })),
    gaps: gaps(inventory),
    proofs: describeProofs(proofs),
    doubts: inventory.doubts ?? [],
    timelines: inventory.timelines.map(({ timeline, record, fulls, deltas }) => ({
      timeline,
      cause: record?.cause,
      startedAtRevision: record?.startedAtRevision,
      fulls: withNotes(fulls).map(({ full, full: { manifest }, isSuperseded }) => ({
        key: full.key,
        revision: full.revision,
        compactRevision: manifest.compactRevision,
        bytes: full.bytes,
        createdAt: manifest.createdAt,
        seenAt: iso(seenMsAtOrBelow(full, { fulls, deltas })),
        cause: manifest.cause,
        etcdVersion: manifest.etcdVersion,
        codec: manifest.codec,
        ...(manifest.stale === true ? { stale: true } : {}),
        ...(isSuperseded ? { superseded: true } : {}),
      })),
      deltas: deltas.map(({ key, first, last, lastObservedMs, bytes }) => ({
        key,
        first,
        last,
        lastObserved: iso(lastObservedMs),
        bytes,
      })),
    })),
    foreign: inventory.foreign,
    incomplete: inventory.incomplete.map(({ key, missing }) => ({ key, missing })),
    damaged: inventory.damaged,
    pins: pinsOf(inventory).map(describePin),
    markedForRemoval: inventory.retention?.marks.flatMap(markedKeys) ?? [],
  };
}

export function renderInventory(inventory: Inventory, terminalWidth?: number): string {
  const ranges = restorableRanges(inventory).map(({ timeline, from, to, fromTimeMs, toTimeMs }) => [
    String(timeline),
    formatCount(from),
    formatCount(to),
    shownTime(fromTimeMs),
    shownTime(toTimeMs),
  ]);
  const fulls = inventory.timelines.flatMap((timeline) =>
    withNotes(timeline.fulls).map(({ full, isSuperseded }) => {
      const { revision, bytes, manifest, key } = full;
      const followers = deltasBehind(timeline, full);
      return [
        String(timeline.timeline),
        formatCount(revision),
        shownTime(seenMsOf(full) ?? full.createdAtMs),
        formatBytes(bytes),
        followers.count === 0 ? '' : `${formatCount(followers.count)}, ${formatBytes(followers.bytes)}`,
        notesOf(manifest, isSuperseded).join(', '),
        key,
      ];
    }),
  );
  const deltas = inventory.timelines.flatMap((timeline) => timeline.deltas);
  const deltaBytes = deltas.reduce((sum, { bytes }) => sum + bytes, 0);
  const fullBytes = inventory.timelines
    .flatMap((timeline) => timeline.fulls)
    .reduce((sum, { bytes }) => sum + bytes, 0);
  const shown = fulls.slice(-SHOWN_MAX);
  return [
    'Restorable',
    renderTable(['timeline', 'from revision', 'to revision', 'from time', 'to time'], ranges, terminalWidth),
    '',
    fulls.length > shown.length ? `Fulls (the newest ${shown.length} of ${fulls.length})` : 'Fulls',
    renderTable(['timeline', 'revision', 'taken', 'size', 'deltas behind it', 'note', 'key'], shown, terminalWidth),
    '',
    `${formatNumberOf(fulls.length, 'full')} and ${formatNumberOf(deltas.length, 'delta')}, ${formatBytes(fullBytes + deltaBytes)}`,
    ...inventory.timelines.flatMap(sayFork),
    ...gaps(inventory).map(sayGap),
    ...pinsOf(inventory).map(sayPin),
    ...sayMarked(inventory),
    ...inventory.incomplete.map(({ key, missing }) => `Incomplete: ${key} has no ${missing}`),
    ...inventory.damaged.map(({ key, reason }) => `Damaged: ${key}: ${reason}`),
    ...(inventory.foreign.length === 0 ? [] : [`Files of somebody else, left alone: ${inventory.foreign.length}`]),
  ].join('\n');
}

function sayGap({ timeline, after, before }: Gap): string {
  const end = before === undefined ? 'onwards' : `to ${formatCount(before - 1)}`;
  return `Gap: timeline ${timeline}, revisions ${formatCount(after + 1)} ${end} cannot be restored`;
}

function describePin({ id, timeline, revision, full, time, reason, createdAt, until }: PinRecord): unknown {
  return { id, timeline, revision, full, time, reason, createdAt, until };
}

/** Pins that have not ended. */
function pinsOf({ retention }: Inventory): PinRecord[] {
  const nowMs = Date.now();
  const pins = (retention?.pins ?? []).map(({ record }) => record);
  return pins.filter(({ until }) => until === undefined || Date.parse(until) > nowMs);
}

function sayPin({ id, timeline, revision, reason, until }: PinRecord): string {
  const end = until === undefined ? '' : ` until ${formatTime(until)}`;
  return `Pinned${end}: revision ${formatCount(revision)} of timeline ${timeline}: ${reason} (${id})`;
}

function sayMarked({ retention }: Inventory): string[] {
  const count = retention?.marks.flatMap(markedKeys).length ?? 0;
  return count === 0 ? [] : [`Marked for removal: ${formatNumberOf(count, 'object')}; \`etcd-ops gc plan\` tells why`];
}

/** A full of a member without a quorum, and a cluster that did not go on from what was captured, must be seen at once. */
function sayFork({ timeline, record }: TimelineInventory): string[] {
  if (record === undefined || record.cause === 'first') return [];
  return [
    `Timeline ${timeline}: begun at revision ${formatCount(record.startedAtRevision)}, since the cluster did not go on from what was captured (${record.cause})`,
  ];
}

function withNotes(fulls: readonly FullEntry[]): { full: FullEntry; isSuperseded: boolean }[] {
  const superseded = supersededFulls(fulls);
  return fulls.map((full) => ({ full, isSuperseded: superseded.has(full) }));
}

function notesOf({ cause, stale }: FullManifest, isSuperseded: boolean): string[] {
  const made: Record<string, string> = { compact: 'compacted', import: 'imported' };
  return [made[cause], stale === true ? 'stale' : undefined, isSuperseded ? 'superseded' : undefined].filter(
    (note) => note !== undefined,
  );
}

/** Deltas that go on from this full and from none after it. */
function deltasBehind({ fulls, deltas }: TimelineInventory, full: FullEntry): { count: number; bytes: number } {
  const next = fulls.find(({ revision }) => revision > full.revision)?.revision ?? Infinity;
  const isLast = fulls.findLast(({ revision }) => revision === full.revision) === full;
  const own = isLast ? deltas.filter(({ last }) => last > full.revision && last <= next) : [];
  return { count: own.length, bytes: own.reduce((sum, { bytes }) => sum + bytes, 0) };
}

function shownTime(timeMs: number | undefined): string {
  const time = iso(timeMs);
  return time === undefined ? '' : formatTime(time);
}

function iso(timeMs: number | undefined): string | undefined {
  return timeMs === undefined || timeMs === 0 ? undefined : new Date(timeMs).toISOString();
}
