import { createHash } from 'node:crypto';
import { pipeline, Readable } from 'node:stream';
import { EtcdOpsError } from '../base/errors.ts';
import { Yielder } from '../base/yielding.ts';
import { compressBlock } from '../codec/compress-block.ts';
import { compressStream, decompressStream } from '../codec/codec-stream.ts';
import type { ObservedTime } from '../delta/delta-format.ts';
import { decryptStage } from '../encryption/age-stream.ts';
import type { Identities } from '../encryption/identities.ts';
import { chooseDeltas } from '../repository/choose-deltas.ts';
import { DeltaCoverage } from '../repository/coverage.ts';
import { openStoredDelta } from '../repository/delta-source.ts';
import { reachedMsOf } from '../repository/full-times.ts';
import type { DeltaEntry, FullEntry, TimelineInventory } from '../repository/inventory.ts';
import { blaming, DamagedObjectError } from '../restore/damaged-object.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { encodeEvent } from './event-encoder.ts';
import type { ForeignRepository } from './foreign-repository.ts';
import { foreignPath, type ForeignLayout } from './snapshot-name.ts';

/** Their restore holds a delta in memory, parsed; this is the limit by which they write them, too. */
export const EXPORT_DELTA_BYTES = 10 * 1024 * 1024;
export const EXPORT_CODECS = ['none', 'gzip', 'zlib'] as const;
export type ExportCodec = (typeof EXPORT_CODECS)[number];

/** One full and the deltas that go on from it. */
export interface ExportLink {
  full: FullEntry;
  /** Absent: the other tool has it. */
  writesFull: boolean;
  /** The last revision that deltas behind it lead to; S where there are none. */
  to: number;
  /** The last revision that the other tool has already. */
  reached: number;
}

/**
 * What to write so that the other tool has the fulls of a timeline and, between and behind them, every revision that deltas hold. What
 * lies in the target already is not written again.
 * @throws EtcdOpsError TARGET_OCCUPIED when the target goes further than the source: it is of another history.
 */
export function planExport(
  { fulls, deltas }: TimelineInventory,
  options: { upTo: number; onlyNewest: boolean; target: ForeignRepository | undefined },
): ExportLink[] {
  const { upTo, onlyNewest, target } = options;
  const there = target?.inventory.timelines ?? [];
  const coverage = new DeltaCoverage(deltas);
  const usable = newestOfEach(fulls.filter(({ revision }) => revision <= upTo));
  const end = Math.min(upTo, Math.max(...usable.map(({ revision }) => coverage.reachFrom(revision))));
  const known = Math.max(
    0,
    ...there.flatMap((one) => [...one.fulls.map((full) => full.revision), ...one.deltas.map(({ last }) => last)]),
  );
  const head = Math.max(...fulls.map(({ revision }) => coverage.reachFrom(revision)));
  if (known > head) {
    throw new EtcdOpsError('TARGET_OCCUPIED', {
      message: `The target holds revision ${known} already, and this timeline ends at ${head}`,
      remedy: 'It is the history of another cluster or timeline: export into an empty folder.',
    });
  }
  const reachThere = new DeltaCoverage(
    there.flatMap((one) => one.deltas).toSorted((left, right) => left.first - right.first || left.last - right.last),
  );
  const links = usable.map((full, index) => {
    const next = usable[index + 1]?.revision ?? end;
    const to = Math.max(full.revision, Math.min(next, coverage.reachFrom(full.revision)));
    const isThere = there.some((one) => one.fulls.some(({ revision }) => revision === full.revision));
    return { full, writesFull: !isThere, to, reached: Math.min(to, reachThere.reachFrom(full.revision)) };
  });
  return onlyNewest ? links.slice(-1) : links;
}

export interface ExportOptions {
  source: ObjectStore;
  timeline: TimelineInventory;
  target: ObjectStore;
  /** The folder of the cluster, as the other tool names it. */
  folder: string;
  layout: ForeignLayout;
  codec: ExportCodec;
  deltaBytesMax?: number;
  identities?: Identities | undefined;
  signal?: AbortSignal | undefined;
  onRevision?: (revision: number) => void;
}

export interface ExportReport {
  keys: string[];
  fulls: number;
  deltas: number;
  bytes: number;
}

/**
 * Writes links in the form of the other tool, each full before its deltas. Names and bytes follow from what is exported, not from the
 * clock: broken off, it goes on where it was.
 * @throws DamagedObjectError naming one of our objects; EtcdOpsError IDENTITY_MISSING, STORE_..., CANCELLED.
 */
export async function exportChain(links: readonly ExportLink[], options: ExportOptions): Promise<ExportReport> {
  const report: ExportReport = { keys: [], fulls: 0, deltas: 0, bytes: 0 };
  for (const link of links) {
    if (link.writesFull) {
      const key = await exportFull(link.full, options, report);
      report.keys.push(key);
      report.fulls++;
    }
    await exportDeltas(link, options, report);
  }
  return report;
}

/** A full that grows together with others at its revision is one: the newest. */
function newestOfEach(fulls: readonly FullEntry[]): FullEntry[] {
  return fulls.filter((full, index) => fulls[index + 1]?.revision !== full.revision);
}

async function exportFull(full: FullEntry, options: ExportOptions, report: ExportReport): Promise<string> {
  const { source, target, folder, layout, codec, identities, signal } = options;
  const { manifest, revision: last } = full;
  const createdSeconds = Math.floor(reachedMsOf(full) / 1000);
  const path = foreignPath(layout, { kind: 'full', first: 0, last, createdSeconds, codec, isFinal: false });
  const stored = Readable.from(source.stream(full.key, signal === undefined ? {} : { signal }));
  const decompress = decompressStream(manifest.codec, { plainBytesMax: manifest.plainBytes });
  const plain: AsyncIterable<Buffer> =
    manifest.encryption === undefined
      ? pipeline(stored, decompress, told)
      : pipeline(stored, decryptStage(full.key, identities), decompress, told);
  async function* checked(): AsyncGenerator<Buffer> {
    const hash = createHash('sha256');
    for await (const chunk of plain) {
      hash.update(chunk);
      yield chunk;
    }
    if (hash.digest('hex') === manifest.plainSha256) return;
    throw new DamagedObjectError('OBJECT_DAMAGED', full.key, { rule: 'its SHA-256 is not that of its manifest' });
  }
  const key = `${folder}/${path}`;
  const packed: AsyncIterable<Buffer> = pipeline(checked, compressStream(codec, 6), told);
  report.bytes += await blaming(full.key, async () => {
    return await target.putStream(key, packed, signal === undefined ? {} : { signal });
  });
  return key;
}

/** Whoever reads the end of a pipeline is told of its error. */
function told(): void {}

async function exportDeltas(link: ExportLink, options: ExportOptions, report: ExportReport): Promise<void> {
  const { full, to, reached } = link;
  if (reached >= to) return;
  const { source, timeline, identities, signal, onRevision, deltaBytesMax = EXPORT_DELTA_BYTES } = options;
  const yielder = new Yielder({ signal });
  const writer = new DeltaWriter(options, report, { after: reached, observedMs: reachedMsOf(full) });
  for (const entry of chooseDeltas(timeline.deltas, reached, to)!) {
    await blaming(entry.key, async () => {
      const reader = await openStoredDelta(source, entry, { identities, signal });
      requireSame(entry, reader.facts, full);
      const times = new Times(await reader.times(), reachedMsOf(full));
      for await (const block of reader.rowBlocks({ fromRevision: writer.last + 1, toRevision: to, signal })) {
        for (let row = block.firstRowAbove(writer.clip(entry)); row < block.firstRowAbove(to); row++) {
          const main = block.main(row);
          if (main !== writer.last && writer.bytes >= deltaBytesMax) await writer.flush();
          const isTombstone = block.isTombstone(row);
          writer.add({ main, isTombstone, value: block.value(row), observedMs: times.at(main) });
        }
        onRevision?.(writer.last);
        await yielder.tick(block.bytes.length);
      }
    });
  }
  await writer.flush();
}

function requireSame(entry: DeltaEntry, facts: { clusterId: bigint; timeline: number }, { manifest }: FullEntry): void {
  if (facts.timeline === entry.timeline && facts.clusterId.toString(16) === manifest.clusterId) return;
  throw new DamagedObjectError('DELTA_DAMAGED', entry.key, { rule: 'it belongs to another cluster or timeline' });
}

/** When a revision had been seen: the first time that is known of it or of one after it. */
class Times {
  readonly #times: readonly ObservedTime[];
  readonly #otherwiseMs: number;
  #next = 0;

  constructor(times: readonly ObservedTime[], otherwiseMs: number) {
    this.#times = times;
    this.#otherwiseMs = otherwiseMs;
  }

  /** Revisions must ascend. */
  at(revision: number): number {
    while (this.#next < this.#times.length - 1 && this.#times[this.#next]!.revision < revision) this.#next++;
    return this.#times[this.#next]?.observedMs ?? this.#otherwiseMs;
  }
}

/** Gathers events, and writes them as one object: the JSON, then its SHA-256, then all of it compressed. */
class DeltaWriter {
  readonly #options: ExportOptions;
  readonly #report: ExportReport;
  #events: string[] = [];
  #first: number;
  #observedMs: number;
  #entry: DeltaEntry | undefined;
  #clip: number;
  /** The revision of the event added last. */
  last: number;
  /** Of the events that wait. */
  bytes = 0;

  constructor(options: ExportOptions, report: ExportReport, start: { after: number; observedMs: number }) {
    this.#options = options;
    this.#report = report;
    this.#first = start.after + 1;
    this.#clip = start.after;
    this.last = start.after;
    this.#observedMs = start.observedMs;
  }

  /** Up to where the rows of a delta were written before it; a revision may go on in the next block of the same delta. */
  clip(entry: DeltaEntry): number {
    if (entry !== this.#entry) this.#clip = this.last;
    this.#entry = entry;
    return this.#clip;
  }

  add(row: { main: number; isTombstone: boolean; value: Uint8Array; observedMs: number }): void {
    this.#observedMs = Math.max(this.#observedMs, row.observedMs);
    const event = encodeEvent({ ...row, observedMs: this.#observedMs });
    this.#events.push(event);
    this.bytes += event.length + 1;
    this.last = row.main;
  }

  async flush(): Promise<void> {
    if (this.#events.length === 0) return;
    const { target, folder, layout, codec, signal } = this.#options;
    const json = Buffer.from(`[${this.#events.join(',')}]`, 'latin1');
    const hashed = Buffer.concat([json, createHash('sha256').update(json).digest()]);
    const createdSeconds = Math.floor(this.#observedMs / 1000);
    const name = { kind: 'delta' as const, first: this.#first, last: this.last, createdSeconds, codec, isFinal: false };
    const key = `${folder}/${foreignPath(layout, name)}`;
    const packed = compressBlock(codec, hashed, 6);
    await target.put(key, packed, { ifAbsent: true, ...(signal === undefined ? {} : { signal }) });
    this.#report.keys.push(key);
    this.#report.deltas++;
    this.#report.bytes += packed.length;
    this.#events = [];
    this.bytes = 0;
    this.#first = this.last + 1;
  }
}
