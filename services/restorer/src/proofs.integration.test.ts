import { dispatchTask, lastDone, lastDoneKey, type TaskInput } from '@etcd-ops/bus';
import {
  BoltFile,
  DeltaEncoder,
  deltaKey,
  readInventory,
  readProofs,
  rowsAbove,
  type FullManifest,
} from '@etcd-ops/core';
import { eventually, startEtcd } from '@etcd-ops/test-kit';
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, utimes } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { CLUSTER, need, openWorld, storeFull, type World } from './testing/world.ts';

const HOUR_MS = 3_600_000;

/** The rows between two fulls, three revisions each, as if they had been captured two hours ago; the full is the world's last one. */
async function storeDeltas(world: World, from: number, { clusterId }: FullManifest): Promise<string[]> {
  using file = BoltFile.open(world.dir.file('taken.db'));
  const keys: string[] = [];
  const beganMs = Math.floor(Date.now() / HOUR_MS - 2) * HOUR_MS;
  for (const block of rowsAbove(file, from)) {
    const last = block.main(block.rowCount - 1);
    for (let first = from + 1; first <= last; first += 3) {
      const end = Math.min(last, first + 2);
      const encoder = new DeltaEncoder({ clusterId: BigInt(`0x${clusterId}`), timeline: 1, epoch: '1'.repeat(32) });
      encoder.addRows(block, block.firstRowAbove(first - 1), block.firstRowAbove(end));
      const lastObservedMs = beganMs + keys.length * 20_000;
      encoder.addTime(end, lastObservedMs);
      const key = deltaKey({ cluster: CLUSTER, timeline: 1, first, last: end, lastObservedMs });
      await world.store.put(key, encoder.finish().bytes);
      keys.push(key);
    }
  }
  return keys;
}

function task(fields: Record<string, unknown>): TaskInput {
  const base = {
    version: 1,
    id: randomUUID(),
    cluster: CLUSTER,
    cause: 'request',
    createdAt: new Date().toISOString(),
  };
  return { ...base, ...fields } as TaskInput;
}

async function run(world: World, wanted: TaskInput): Promise<Record<string, unknown>> {
  expect(await dispatchTask(world.bus, wanted)).toBe('accepted');
  const key = lastDoneKey(wanted.kind, CLUSTER);
  const done = async () => (await lastDone(world.bus).get(key))?.value;
  await eventually(async () => (await done())?.taskId === wanted.id, { timeoutMs: 30_000 });
  return (await done())!.summary;
}

const PROVE = { kind: 'verify', depth: 'prove', scope: { kind: 'newest' } };

describe('a restorer proves and merges', () => {
  it(
    'what it rebuilt, from small deltas and from merged ones; and what it finds is told',
    { timeout: 120_000 },
    async (ctx) => {
      need(ctx, 'etcd', 'nats-server');
      await using etcd = await startEtcd();
      await using world = await openWorld(etcd.endpoints);
      await etcd.etcdctl('put', 'first', 'value');
      const base = await storeFull(world, etcd);
      for (let write = 0; write < 40; write++) await etcd.etcdctl('put', `key-${write % 7}`, `value ${write}`);
      const next = await storeFull(world, etcd);
      const small = await storeDeltas(world, base.revision, next);
      expect(small.length).toBeGreaterThan(10);

      // As a killed process of another container leaves it behind.
      const old = world.dir.file(`spool/restorer/compact-${randomUUID()}`);
      await mkdir(old, { recursive: true });
      await utimes(old, new Date(Date.now() - 2 * HOUR_MS), new Date(Date.now() - 2 * HOUR_MS));

      const proven = await run(world, task(PROVE));
      expect(proven).toMatchObject({
        verdict: 'sound',
        findings: [],
        proofs: [{ verdict: 'open' }, { verdict: 'ok', equal: 1 }],
      });
      const { proven: record, restoreMs } = await readProofs(world.store, CLUSTER);
      expect(record?.record).toMatchObject({ proof: 'chain', from: 1, to: next.revision });
      expect(restoreMs).toBeGreaterThanOrEqual(0);

      const merged = await run(world, task({ kind: 'merge' }));
      expect(merged).toMatchObject({ inputs: small.length });
      const { deltas } = (await readInventory(world.store, CLUSTER)).timelines[0]!;
      expect(deltas.length).toBe(small.length + Number(merged['merged']));
      await world.store.delete(small);
      expect(await run(world, task(PROVE))).toMatchObject({ verdict: 'sound', proofs: [{}, { verdict: 'ok' }] });
      expect(await readdir(world.dir.file('spool'))).toEqual(['restorer']);
      expect(await readdir(world.dir.file('spool/restorer'))).toEqual([]);

      // Nothing is left to do, and nothing is said about it in the history.
      const again = await run(world, task({ kind: 'merge' })).catch(() => undefined);
      expect(again ?? { merged: 0 }).toMatchObject({ merged: 0 });

      const { fulls } = (await readInventory(world.store, CLUSTER)).timelines[0]!;
      const bytes = await world.store.get(fulls[1]!.key);
      bytes[8_192 + 100]! ^= 1;
      await world.store.delete([fulls[1]!.key]);
      await world.store.put(fulls[1]!.key, bytes);
      const damaged = await run(world, task({ kind: 'verify', depth: 'read', scope: { kind: 'all' } }));
      expect(damaged).toMatchObject({ verdict: 'damaged', findings: [{ kind: 'damaged', what: fulls[1]!.key }] });
    },
  );
});
