import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { BoltFile } from '../bolt/bolt-file.ts';
import { Scratch } from '../bolt/testing/scratch.ts';
import { hashKV } from '../mvcc/hash-kv.ts';
import { rowsOfHistory, writeModelStore, type ModelRow } from '../mvcc/testing/model-store.ts';
import { restorableRanges } from '../repository/coverage.ts';
import { readInventory } from '../repository/inventory.ts';
import { planRestore, type RestoreTarget } from '../repository/plan-restore.ts';
import { planRestoreFrom } from '../repository/resolve-time.ts';
import { STORED_PLAIN } from '../repository/packing.ts';
import { restore } from '../restore/restore.ts';
import { TestRepository } from '../restore/testing/repository-of.ts';
import { LocalStore } from '../storage/local-store.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { compacted, history } from '../verify/testing/lies.ts';
import type { AdoptTarget } from './adopt-delta.ts';
import { adoptForRestore, type AdoptScope } from './adopt-for-restore.ts';
import { encodeEvent } from './event-encoder.ts';
import { exportChain, planExport } from './export-chain.ts';
import { readForeignRepository, type ForeignRepository } from './foreign-repository.ts';
import { importItemsOf, importSnapshots, planImport } from './import-snapshots.ts';
import { openZippedFile } from './zipped-file.ts';

const scratch = new Scratch();
afterAll(() => scratch[Symbol.dispose]());
function directory(): string {
  const path = scratch.file();
  mkdirSync(path);
  return path;
}

const NOW_S = 1_706_877_127;
const LONG = rowsOfHistory(
  Array.from({ length: 40 }, (_, index) => [
    { key: `k${index % 7}`, lease: index % 3 === 0 ? 7587870279482933765n : 0n, valueBytes: index * 9 },
    ...(index % 5 === 4 ? [{ key: `k${(index + 3) % 7}`, deleted: true as const }] : []),
  ]),
);

/** A store as another tool left it, written by hand. */
class OtherTool {
  readonly root = directory();
  readonly store = new LocalStore(this.root);

  full(path: string, rows: readonly ModelRow[], pack: (bytes: Buffer) => Buffer = (bytes) => bytes): void {
    this.#write(path, pack(snapshotOf(rows)));
  }

  delta(path: string, rows: readonly ModelRow[], change: (bytes: Buffer) => Buffer = (bytes) => bytes): void {
    const events = rows.map(({ main, tombstone, value }) =>
      encodeEvent({ main, isTombstone: tombstone, value, observedMs: (NOW_S + main) * 1000 }),
    );
    const json = Buffer.from(`[${events.join(',')}]`);
    this.#write(path, change(Buffer.concat([json, createHash('sha256').update(json).digest()])));
  }

  #write(path: string, bytes: Buffer): void {
    const target = join(this.root, path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, bytes);
  }
}

function snapshotOf(rows: readonly ModelRow[], finished?: number): Buffer {
  const path = join(directory(), 'db');
  writeModelStore(path, rows, finished === undefined ? {} : { finished });
  const bytes = readFileSync(path);
  return Buffer.concat([bytes, createHash('sha256').update(bytes).digest()]);
}

function upTo(rows: readonly ModelRow[], revision: number): ModelRow[] {
  return rows.filter(({ main }) => main <= revision);
}
function between(rows: readonly ModelRow[], first: number, last: number): ModelRow[] {
  return rows.filter(({ main }) => main >= first && main <= last);
}

function emptyTarget(store: ObjectStore): AdoptTarget {
  return { store, cluster: 'prod', clusterId: 1n, packing: STORED_PLAIN, scratchDir: directory() };
}

async function foreign(tool: OtherTool): Promise<ForeignRepository> {
  return (await readForeignRepository(tool.store, 'prod'))!;
}

/** Restores out of the other tool's store, and compares with the file that etcd would have at that revision. */
async function restoredRows(
  tool: OtherTool,
  scope: AdoptScope,
): Promise<{ revision: number; hash: number; damaged: string[] }> {
  const adopting = emptyTarget(new LocalStore(directory()));
  const adopted = await adoptForRestore({
    ...{ ...adopting, source: tool.store, repository: await foreign(tool), scope },
  });
  const plan = await planRestoreFrom(adopting.store, adopted.inventory, adopted.target);
  const report = await restore({
    ...{ store: adopting.store, plan, token: 't', target: '3.5', hashKv: true },
    dataDirs: [{ member: 'm1', dataDir: join(directory(), 'm1.etcd') }],
    initialCluster: [{ name: 'm1', peerUrls: ['http://127.0.0.1:1'] }],
  });
  return { revision: report.revision, hash: report.hashKv!.hash, damaged: adopted.damaged.map(({ key }) => key) };
}

async function hashOf(rows: readonly ModelRow[]): Promise<number> {
  const path = join(directory(), 'db');
  writeModelStore(path, rows);
  using file = BoltFile.open(path);
  return (await hashKV(file)).hash;
}

/** Full at 10, deltas to 30, full at 20 between them, in all spellings of a layout. */
function sample(layout: 'seed' | 'gardener'): OtherTool {
  const tool = new OtherTool();
  const place = (name: string): string => (layout === 'seed' ? `prod/Backup-20240202/${name}` : `prod/v2/${name}`);
  // The name lags behind the file: etcd went on between the question for the revision and the snapshot.
  tool.full(place(`Full-00000000-00000010-${NOW_S + 10}.gz`), upTo(LONG, 12), (bytes) => gzipSync(bytes));
  tool.delta(place(`Incr-00000011-00000015-${NOW_S + 15}.zlib`), between(LONG, 11, 15), (bytes) => deflateSync(bytes));
  tool.delta(place(`Incr-00000016-00000020-${NOW_S + 20}`), between(LONG, 16, 20));
  tool.full(place(`Full-00000000-00000020-${NOW_S + 21}`), upTo(LONG, 20));
  tool.delta(place(`Incr-00000021-00000030-${NOW_S + 30}.gz`), between(LONG, 21, 30), (bytes) => gzipSync(bytes));
  return tool;
}

describe.each(['seed', 'gardener'] as const)('what %s wrote', (layout) => {
  test('is listed by names alone', async () => {
    const repository = await foreign(sample(layout));
    expect(repository.layout).toBe(layout);
    expect(restorableRanges(repository.inventory)).toMatchObject([{ timeline: 1, from: 10, to: 30 }]);
  });

  const TARGETS: [string, AdoptScope, number][] = [
    ['the newest', { kind: 'latest' }, 30],
    ['inside of a delta', { kind: 'revision', revision: 18 }, 18],
    ['a full whose name lags', { kind: 'revision', revision: 11 }, 11],
    ['before every name, but in the history of a full', { kind: 'revision', revision: 5 }, 5],
    ['a moment inside of a delta', { kind: 'time', timeMs: (NOW_S + 17) * 1000 }, 17],
    ['a moment behind a full', { kind: 'time', timeMs: (NOW_S + 25) * 1000 + 500 }, 25],
    ['one full', { kind: 'snapshot', key: `Full-00000000-00000020-${NOW_S + 21}` }, 20],
    ['all of it', { kind: 'timeline' }, 30],
  ];
  test.each(TARGETS)('gives the rows that etcd had: %s', async (_, scope, revision) => {
    const restored = await restoredRows(sample(layout), scope);
    expect(restored).toEqual({ revision, hash: await hashOf(upTo(LONG, revision)), damaged: [] });
  });

  test('is gone round where it is damaged and there is another way', async () => {
    const tool = sample(layout);
    const place = layout === 'seed' ? 'prod/Backup-20240202' : 'prod/v2';
    const key = `${place}/Full-00000000-00000020-${NOW_S + 21}`;
    tool.full(key, upTo(LONG, 20), (bytes) => bytes.fill(1, 5_000, 5_001));
    const restored = await restoredRows(tool, { kind: 'latest' });
    expect(restored).toEqual({ revision: 30, hash: await hashOf(upTo(LONG, 30)), damaged: [key] });
  });

  test('is refused where it is damaged and there is none, and what can be had is told', async () => {
    const tool = sample(layout);
    const place = layout === 'seed' ? 'prod/Backup-20240202' : 'prod/v2';
    const key = `${place}/Incr-00000021-00000030-${NOW_S + 30}.gz`;
    tool.delta(key, between(LONG, 21, 30), (bytes) => gzipSync(bytes.fill(0x20, 3, 4)));
    await expect(restoredRows(tool, { kind: 'latest' })).rejects.toMatchObject({
      ...{ code: 'DELTA_DAMAGED', objectKey: key },
      remedy: expect.stringContaining('--revision 20') as string,
    });
  });

  test('is imported whole, once, and goes on where it was broken off', async () => {
    const tool = sample(layout);
    const repository = await foreign(tool);
    const job = { source: tool.store, items: importItemsOf(repository) };
    const to = emptyTarget(new LocalStore(directory()));
    const plan = await planImport(job, to);
    expect(plan.map(({ action }) => action)).toEqual(Array(5).fill('import'));
    await importSnapshots(job, plan.slice(0, 3), to, { nowMs: NOW_S * 1000 });
    const rest = await planImport(job, to);
    expect(rest.filter(({ action }) => action === 'there')).toHaveLength(3);
    expect(await importSnapshots(job, rest, to, { nowMs: NOW_S * 1000 })).toMatchObject({
      deltas: 2,
      there: 3,
      damaged: [],
    });
    const inventory = await readInventory(to.store, 'prod');
    expect(inventory).toMatchObject({ damaged: [], incomplete: [], foreign: [] });
    expect(restorableRanges(inventory)).toMatchObject([{ timeline: 1, from: 1, to: 30 }]);
    expect(inventory.timelines[0]!.record).toMatchObject({ cause: 'first' });
  });
});

test('a full below what was recorded before it begins a timeline of its own', async () => {
  const tool = new OtherTool();
  tool.full(`prod/v2/Full-00000000-00000020-${NOW_S}`, upTo(LONG, 20));
  tool.delta(`prod/v2/Incr-00000021-00000030-${NOW_S + 10}`, between(LONG, 21, 30));
  tool.full(`prod/v2/Full-00000000-00000015-${NOW_S + 20}`, upTo(LONG, 15));
  tool.delta(`prod/v2/Incr-00000016-00000022-${NOW_S + 30}`, between(LONG, 16, 22));
  const { inventory } = await foreign(tool);
  expect(restorableRanges(inventory)).toMatchObject([
    { timeline: 1, from: 20, to: 30 },
    { timeline: 2, from: 15, to: 22 },
  ]);
  const newest = { kind: 'latest' } satisfies RestoreTarget;
  expect((await restoredRows(tool, newest)).revision).toBe(22);
});

test('a hole between deltas is named', async () => {
  const tool = sample('gardener');
  await tool.store.delete([`prod/v2/Incr-00000011-00000015-${NOW_S + 15}.zlib`]);
  await expect(restoredRows(tool, { kind: 'revision', revision: 15 })).resolves.toMatchObject({ revision: 15 });
  await tool.store.delete([`prod/v2/Full-00000000-00000020-${NOW_S + 21}`]);
  await expect(restoredRows(tool, { kind: 'revision', revision: 25 })).rejects.toMatchObject({
    ...{ code: 'REVISION_NOT_RESTORABLE', message: expect.stringMatching(/11/) as string },
  });
});

test('version 1 of gardener and chunks beside it', async () => {
  const tool = new OtherTool();
  tool.full(`prod/v1/Backup-${NOW_S}/Full-00000000-00000020-${NOW_S}`, upTo(LONG, 20));
  tool.delta(`prod/v2/Incr-00000021-00000030-${NOW_S + 5}`, between(LONG, 21, 30));
  tool.delta(`prod/v2/Incr-00000031-00000032-${NOW_S + 9}/00001`, between(LONG, 31, 32));
  const { inventory } = await foreign(tool);
  expect(inventory.foreign).toHaveLength(1);
  expect((await restoredRows(tool, { kind: 'latest' })).revision).toBe(30);
});

test('what only its hash can tell is told: a letter of a value, a changed hash, a hash that is not there', async () => {
  const rows = between(LONG, 21, 30);
  const delta = `prod/v2/Incr-00000021-00000030-${NOW_S + 30}.gz`;
  const changes: ((bytes: Buffer) => Buffer)[] = [
    // Base64 of the letters x: another letter is another value, and sound JSON.
    (bytes) => bytes.fill('A', bytes.indexOf('eHh4eHh4'), bytes.indexOf('eHh4eHh4') + 1),
    (bytes) => bytes.subarray(0, -32),
    (bytes) => bytes.subarray(0, 20),
  ];
  for (const change of changes) {
    const tool = sample('gardener');
    tool.delta(delta, rows, (bytes) => gzipSync(change(bytes)));
    await expect(restoredRows(tool, { kind: 'latest' })).rejects.toMatchObject({
      ...{ code: 'DELTA_DAMAGED', message: expect.stringMatching(/SHA-256/) as string },
    });
  }
  const full = `prod/v2/Full-00000000-00000040-${NOW_S + 50}`;
  for (const change of [
    (bytes: Buffer) => bytes.fill(bytes.at(-1)! ^ 1, bytes.length - 1),
    (bytes: Buffer) => bytes.subarray(0, -32),
  ]) {
    const tool = new OtherTool();
    tool.full(full, LONG, change);
    await expect(restoredRows(tool, { kind: 'latest' })).rejects.toMatchObject({ code: 'SNAPSHOT_HASH_MISMATCH' });
    // A restore would look again; an import is the last who can.
    const to = emptyTarget(new LocalStore(directory()));
    const job = { source: tool.store, items: importItemsOf(await foreign(tool)) };
    const report = await importSnapshots(job, await planImport(job, to), to, { nowMs: NOW_S * 1000 });
    expect(report).toMatchObject({ fulls: 0, damaged: [{ key: full }] });
  }
});

test('nothing is imported among what capture wrote', async () => {
  const root = directory();
  const native = new TestRepository(root);
  const path = join(directory(), 'db');
  writeModelStore(path, upTo(LONG, 9));
  await native.addFull(path);
  const tool = sample('seed');
  const job = { source: tool.store, items: importItemsOf(await foreign(tool)) };
  await expect(planImport(job, { ...emptyTarget(native.store), cluster: 'test' })).rejects.toMatchObject({
    code: 'TARGET_OCCUPIED',
  });
});

test('imports go on in their timelines, whatever the other tool has removed meanwhile', async () => {
  const tool = new OtherTool();
  const to = emptyTarget(new LocalStore(directory()));
  const importAll = async (): Promise<unknown> => {
    const job = { source: tool.store, items: importItemsOf(await foreign(tool)) };
    return await importSnapshots(job, await planImport(job, to), to, { nowMs: NOW_S * 1000 });
  };
  const ranges = async (): Promise<unknown> =>
    restorableRanges(await readInventory(to.store, 'prod')).map(({ timeline, to: end }) => [timeline, end]);
  tool.full(`prod/v2/Full-00000000-00000020-${NOW_S}`, upTo(LONG, 20));
  tool.full(`prod/v2/Full-00000000-00000010-${NOW_S + 10}`, upTo(LONG, 10));
  tool.delta(`prod/v2/Incr-00000011-00000015-${NOW_S + 15}`, between(LONG, 11, 15));
  await importAll();
  expect(await ranges()).toEqual([
    [1, 20],
    [2, 15],
  ]);
  // The first history has gone, and its number with it; the second has gone on.
  await tool.store.delete([`prod/v2/Full-00000000-00000020-${NOW_S}`]);
  tool.delta(`prod/v2/Incr-00000016-00000030-${NOW_S + 30}`, between(LONG, 16, 30));
  expect(await importAll()).toMatchObject({ fulls: 0, deltas: 1, there: 2 });
  expect(await ranges()).toEqual([
    [1, 20],
    [2, 30],
  ]);
  // Everything has gone that was known; what is new goes on at the end.
  const old = await foreign(tool);
  await tool.store.delete(old.objects.map(({ key }) => key));
  tool.full(`prod/v2/Full-00000000-00000030-${NOW_S + 40}`, upTo(LONG, 30));
  tool.delta(`prod/v2/Incr-00000031-00000035-${NOW_S + 45}`, between(LONG, 31, 35));
  await importAll();
  expect(await ranges()).toEqual([
    [1, 20],
    [2, 35],
  ]);
  // And what begins below is of a cluster that was set back.
  await tool.store.delete((await foreign(tool)).objects.map(({ key }) => key));
  tool.full(`prod/v2/Full-00000000-00000012-${NOW_S + 50}`, upTo(LONG, 12));
  // Two of one revision and second.
  tool.full(`prod/v2/Full-00000000-00000012-${NOW_S + 50}.gz`, upTo(LONG, 12), (bytes) => gzipSync(bytes));
  expect(await importAll()).toMatchObject({ fulls: 2 });
  expect(await ranges()).toEqual([
    [1, 20],
    [2, 35],
    [3, 12],
  ]);
  expect(await importAll()).toMatchObject({ fulls: 0, there: 2 });
});

describe.each(['seed', 'gardener'] as const)('what is exported to %s', (layout) => {
  test.each(['none', 'gzip', 'zlib'] as const)('comes back row for row, %s', async (codec) => {
    await fc.assert(
      fc.asyncProperty(
        history,
        fc.nat(1_000),
        fc.nat(1_000),
        fc.integer({ min: 1, max: 2_000 }),
        async (operations, a, b, deltaBytesMax) => {
          const rows = rowsOfHistory(operations);
          const last = rows.at(-1)?.main ?? 0;
          fc.pre(last > 6);
          const cuts = [2 + (a % (last - 3)), 2 + (b % (last - 3))].toSorted((left, right) => left - right) as [
            number,
            number,
          ];
          const native = new TestRepository(directory());
          for (const [index, cut] of cuts.entries()) {
            const path = join(directory(), 'db');
            writeModelStore(path, compacted(upTo(rows, cut), cut - 1), { finished: cut - 1 });
            await native.addFull(path, { createdAtMs: (NOW_S + index) * 1000 });
          }
          await native.addDelta(between(rows, cuts[0] + 1, last - 1));
          await native.addDelta(between(rows, last, last));
          const timeline = (await native.inventory()).timelines[0]!;
          const out = new LocalStore(directory());
          const options = { source: native.store, timeline, target: out, folder: 'prod', layout, codec, deltaBytesMax };
          const links = planExport(timeline, { upTo: last, onlyNewest: false, target: undefined });
          await exportChain(links, options);
          const tool = Object.assign(new OtherTool(), { store: out });
          const repository = await foreign(tool);
          expect(repository.inventory.foreign).toEqual([]);
          const again = planExport(timeline, { upTo: last, onlyNewest: false, target: repository });
          expect(await exportChain(again, options)).toMatchObject({ keys: [] });
          const restored = await restoredRows(tool, { kind: 'latest' });
          const plan = planRestore(await native.inventory(), { kind: 'latest' });
          const direct = await restore({
            ...{ store: native.store, plan, token: 't', target: '3.5', hashKv: true },
            dataDirs: [{ member: 'm1', dataDir: join(directory(), 'm1.etcd') }],
            initialCluster: [{ name: 'm1', peerUrls: ['http://127.0.0.1:1'] }],
          });
          expect(restored).toEqual({ revision: last, hash: direct.hashKv!.hash, damaged: [] });
        },
      ),
      { numRuns: 6 },
    );
  });
});

describe('a snapshot of k3s in a zip archive', () => {
  const plain = Buffer.from('a snapshot '.repeat(1000));
  async function unzip(bytes: Buffer): Promise<Buffer> {
    const path = join(directory(), 'snapshot.zip');
    writeFileSync(path, bytes);
    const parts: Buffer[] = [];
    for await (const part of await openZippedFile(path)) parts.push(part as Buffer);
    return Buffer.concat(parts);
  }

  test.each([
    ['deflated, with the sizes behind it', 8, false],
    ['stored', 0, false],
    ['with 64-bit sizes', 8, true],
  ])('%s', async (_, method, zip64) => {
    expect((await unzip(zipOf(plain, { method, zip64 }))).equals(plain)).toBe(true);
  });

  test.each([
    ['no archive', (): Buffer => Buffer.alloc(100)],
    ['cut short', (): Buffer => zipOf(plain, { method: 8, zip64: false }).subarray(40)],
    ['several files', (): Buffer => zipOf(plain, { method: 8, zip64: false, entries: 2 })],
    ['an unknown method', (): Buffer => zipOf(plain, { method: 9, zip64: false })],
  ])('%s is refused', async (_, make) => {
    await expect(unzip(make())).rejects.toMatchObject({ code: 'OBJECT_DAMAGED' });
  });
});

/** What Go's archive/zip streams: sizes are in the directory only. */
function zipOf(
  plain: Buffer,
  { method, zip64, entries = 1 }: { method: number; zip64: boolean; entries?: number },
): Buffer {
  const stored = method === 8 ? deflateRawSync(plain) : plain;
  const name = Buffer.from('etcd-snapshot');
  const local = Buffer.alloc(30);
  local.writeUInt32LE(0x04034b50, 0);
  local.writeUInt16LE(8, 6);
  local.writeUInt16LE(method, 8);
  local.writeUInt16LE(name.length, 26);
  const extra = Buffer.alloc(zip64 ? 28 : 0);
  const entry = Buffer.alloc(46);
  entry.writeUInt32LE(0x02014b50, 0);
  entry.writeUInt16LE(8, 8);
  entry.writeUInt16LE(method, 10);
  entry.writeUInt32LE(zip64 ? 0xffffffff : stored.length, 20);
  entry.writeUInt32LE(zip64 ? 0xffffffff : plain.length, 24);
  entry.writeUInt16LE(name.length, 28);
  entry.writeUInt16LE(extra.length, 30);
  entry.writeUInt32LE(zip64 ? 0xffffffff : 0, 42);
  if (zip64) {
    extra.writeUInt16LE(1, 0);
    extra.writeUInt16LE(24, 2);
    extra.writeBigUInt64LE(BigInt(plain.length), 4);
    extra.writeBigUInt64LE(BigInt(stored.length), 12);
  }
  const directoryOffset = local.length + name.length + stored.length;
  const directoryBytes = entry.length + name.length + extra.length;
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(entries, 10);
  end.writeUInt32LE(zip64 ? 0xffffffff : directoryBytes, 12);
  end.writeUInt32LE(zip64 ? 0xffffffff : directoryOffset, 16);
  const end64 = Buffer.alloc(zip64 ? 76 : 0);
  if (zip64) {
    end64.writeUInt32LE(0x06064b50, 0);
    end64.writeBigUInt64LE(1n, 32);
    end64.writeBigUInt64LE(BigInt(directoryBytes), 40);
    end64.writeBigUInt64LE(BigInt(directoryOffset), 48);
    end64.writeUInt32LE(0x07064b50, 56);
    end64.writeBigUInt64LE(BigInt(directoryOffset + directoryBytes), 64);
  }
  return Buffer.concat([local, name, stored, entry, name, extra, end64, end]);
}
