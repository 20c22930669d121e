import {
  BoltFile,
  decodeDelta,
  decodeRevisionKey,
  gaps,
  hashKV,
  isEtcdOpsError,
  parseInitialCluster,
  planRestore,
  readInventory,
  readStoreInfo,
  restore,
  restorableRanges,
  rowsAbove,
  type Inventory,
  type RestorePlan,
  type TimelineInventory,
} from '@etcd-ops/core';
import { eventually } from '@etcd-ops/test-kit';
import { positionKey, positions } from '@etcd-ops/bus';
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { ChaosWorld } from '../world/chaos-world.ts';

const DATABASE = join('member', 'snap', 'db');

/** Waits until the repository reaches the cluster's head; answers the plan of the newest revision. */
export async function settled(world: ChaosWorld, timeoutMs: number, cluster = world.cluster): Promise<RestorePlan> {
  let said = '';
  try {
    return await eventually(
      async () => {
        const { revision } = await world.direct.members()[0]!.linearizableRead();
        const inventory = await readInventory(world.store, cluster);
        const plan = newestPlan(inventory);
        const position = (await positions(world.bus).get(positionKey(cluster)))?.value.revision ?? 0;
        said = `head ${revision}, durable ${position}, restorable ${JSON.stringify(restorableRanges(inventory))}`;
        // Not by a full alone: what was captured must have become deltas.
        return plan !== undefined && plan.revision >= revision && position >= revision ? plan : false;
      },
      { timeoutMs, intervalMs: 100 },
    );
  } catch (error) {
    throw new Error(`The repository of ${cluster} does not reach the head: ${said}`, { cause: error });
  }
}

function newestPlan(inventory: Inventory): RestorePlan | undefined {
  try {
    const plan = planRestore(inventory, { kind: 'latest' });
    return plan.timeline === inventory.timelines.at(-1)?.timeline ? plan : undefined;
  } catch (error) {
    // Behind a fork or a gap, rows may be there before the full that they go on from.
    if (isEtcdOpsError(error, 'NO_BACKUP') || isEtcdOpsError(error, 'NEWEST_NOT_RESTORABLE')) return undefined;
    throw error;
  }
}

/** Restores the plan natively and compares its HashKV with that of every member of the living cluster. */
export async function checkHash(world: ChaosWorld, plan: RestorePlan): Promise<void> {
  const dataDir = world.scratch.file('checked');
  try {
    await restore({
      store: world.store,
      plan,
      dataDirs: [{ member: 'm1', dataDir }],
      initialCluster: parseInitialCluster('m1=http://127.0.0.1:2'),
      token: 'chaos',
      dropAlarms: true,
    });
    using file = BoltFile.open(join(dataDir, DATABASE));
    const { revision } = plan;
    for (const member of world.direct.members()) {
      await member.linearizableRead();
      const living = await member.hashKV(revision);
      const { hash } = await hashKV(file, { revision, compactRevision: living.compactRevision });
      if (hash !== living.hash) {
        const what = `revision ${revision}, compacted at ${living.compactRevision}`;
        throw new Error(
          `HashKV of the restored store (${hash}) is not that of ${member.endpoint} (${living.hash}): ${what}`,
        );
      }
    }
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}

/**
 * Compares the rows of the newest timeline's deltas above `after` with those of a snapshot taken now, where both know them: above
 * the snapshot's compact revision. Answers how many were equal.
 */
export async function checkRows(world: ChaosWorld, inventory: Inventory, after: number): Promise<number> {
  const path = world.scratch.file('snapshot.db');
  const member = world.direct.members()[0]!;
  try {
    await member.linearizableRead();
    await pipeline(member.snapshot(), createWriteStream(path));
    using file = BoltFile.open(path);
    const { compactRevision, revision } = readStoreInfo(file);
    const from = Math.max(after, compactRevision);
    const timeline = inventory.timelines.at(-1)!;
    const rows = await deltaRows(world, timeline, { from, to: revision });
    return compare(rows, fileRows(file, from, rows.covered));
  } finally {
    await rm(path, { force: true });
  }
}

interface DeltaRows {
  /** By revision key as hex. */
  rows: Map<string, Buffer>;
  covered: (main: number) => boolean;
}

async function deltaRows(
  world: ChaosWorld,
  { deltas }: TimelineInventory,
  { from, to }: { from: number; to: number },
): Promise<DeltaRows> {
  const rows = new Map<string, Buffer>();
  const wanted = deltas.filter(({ first, last }) => last > from && first <= to);
  for (const { key, bytes } of wanted) {
    const { rowBlocks } = await decodeDelta(await world.store.get(key, { bytesMax: bytes }));
    for (const block of rowBlocks) {
      for (let row = 0; row < block.rowCount; row++) {
        const { main } = decodeRevisionKey(block.key(row));
        if (main > from && main <= to) rows.set(block.key(row).toString('hex'), Buffer.from(block.value(row)));
      }
    }
  }
  return { rows, covered: (main) => wanted.some(({ first, last }) => first <= main && main <= last) };
}

function* fileRows(
  file: BoltFile,
  after: number,
  covered: (main: number) => boolean,
): Generator<{ key: string; value: Buffer }> {
  for (const block of rowsAbove(file, after)) {
    for (let row = 0; row < block.rowCount; row++) {
      if (!covered(decodeRevisionKey(block.key(row)).main)) continue;
      yield { key: block.key(row).toString('hex'), value: Buffer.from(block.value(row)) };
    }
  }
}

function compare({ rows }: DeltaRows, file: Iterable<{ key: string; value: Buffer }>): number {
  let equal = 0;
  for (const { key, value } of file) {
    const captured = rows.get(key);
    if (captured === undefined) throw new Error(`The row ${key} is in the cluster's file and in no delta`);
    if (!captured.equals(value)) throw new Error(`The row ${key} of a delta is not that of the cluster's file`);
    equal++;
  }
  if (equal !== rows.size) throw new Error(`${rows.size - equal} rows of deltas are not in the cluster's file`);
  return equal;
}

/** Every gap must be the work of a compaction that was really made: nothing else may be missing. */
export function checkGaps(inventory: Inventory, compactions: readonly number[]): number {
  const found = gaps(inventory);
  for (const { timeline, after, before, capturedTo } of found) {
    const isHonest =
      before !== undefined && compactions.some((compacted) => after < compacted && compacted >= before - 1);
    if (!isHonest) {
      const text = `behind revision ${after} up to ${before ?? 'the end'} (captured to ${capturedTo ?? '-'})`;
      throw new Error(`Timeline ${timeline} has a gap ${text} that no compaction explains: ${compactions.join(', ')}`);
    }
  }
  return found.length;
}

/**
 * What was captured must have become deltas without a hole, though fulls may restore what lies in it: only a compaction explains one.
 * Nothing may lie in two of them, unless NATS lost its tail and the recorded position with it: then the rows behind an older
 * position are cut again, which readers clip.
 */
export function checkDeltas(
  inventory: Inventory,
  compactions: readonly number[],
  options: { positionsWereLost: boolean },
): void {
  for (const { timeline, fulls, deltas: all } of inventory.timelines) {
    // What no full needs any more may be going, one after the other.
    const deltas = all.filter(({ last }) => last > (fulls[0]?.revision ?? 0));
    let reached = (deltas[0]?.first ?? 1) - 1;
    for (const { first, last, key } of deltas) {
      const hole = `the revisions behind ${reached} and below ${first} of timeline ${timeline}`;
      const isHonest = compactions.some((compacted) => reached < compacted && compacted < first);
      if (first > reached + 1 && !isHonest) throw new Error(`No delta holds ${hole}, and no compaction explains it`);
      if (first <= reached && !options.positionsWereLost) {
        throw new Error(`The delta ${key} repeats what another one holds: ${hole}`);
      }
      reached = Math.max(reached, last);
    }
  }
}
