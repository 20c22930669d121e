import { mkdirSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import { Scratch } from '../bolt/testing/scratch.ts';
import { rowsOfHistory, writeModelStore } from '../mvcc/testing/model-store.ts';
import { TestRepository } from '../restore/testing/repository-of.ts';
import { proveChain } from './prove-chain.ts';
import { cut } from './testing/lies.ts';
import { verifyRepository } from './verify-repository.ts';

const scratch = new Scratch();
afterAll(() => scratch[Symbol.dispose]());

const ROWS = rowsOfHistory(Array.from({ length: 40 }, (_, index) => [{ key: `k${index % 7}`, valueBytes: 30 }]));

/** A listed chain whose second delta is gone by the time that somebody reads it. */
async function chainWithoutMiddle(options: { isMerged: boolean }) {
  const repository = new TestRepository(scratch.file());
  const path = scratch.file();
  writeModelStore(path, ROWS.slice(0, 10));
  await repository.addFull(path);
  const behind = ROWS.slice(10);
  for (const part of cut(behind, 7)) await repository.addDelta(part);
  const inventory = await repository.inventory();
  if (options.isMerged) await repository.addDelta(behind);
  const gone = inventory.timelines[0]!.deltas[1]!.key;
  await repository.store.delete([gone]);
  const scratchDir = scratch.file();
  mkdirSync(scratchDir);
  return { store: repository.store, inventory, scratchDir, gone };
}

test('what retention removed since it was listed is a note, and speaks against no chain', async () => {
  const { store, inventory, scratchDir, gone } = await chainWithoutMiddle({ isMerged: true });
  const timeline = inventory.timelines[0]!;
  const to = timeline.deltas.at(-1)!.last;
  const record = await proveChain({ store, timeline, full: timeline.fulls[0]!, to, scratchDir });
  expect(record).toMatchObject({ verdict: 'open', problem: expect.stringContaining('Retention removed') });
  const { findings, verdict } = await verifyRepository({ store, inventory, depth: 'read', scratchDir });
  expect(findings.filter(({ what }) => what === gone).map(({ kind }) => kind)).toEqual(['note']);
  expect(verdict).not.toBe('damaged');
});

test('what is gone and missing is damage', async () => {
  const { store, inventory, scratchDir, gone } = await chainWithoutMiddle({ isMerged: false });
  const timeline = inventory.timelines[0]!;
  const to = timeline.deltas.at(-1)!.last;
  const record = await proveChain({ store, timeline, full: timeline.fulls[0]!, to, scratchDir });
  expect(record).toMatchObject({ verdict: 'failed', problem: expect.stringContaining('cannot be restored') });
  const { findings } = await verifyRepository({ store, inventory, depth: 'read', scratchDir });
  expect(findings.filter(({ what }) => what === gone).map(({ kind }) => kind)).toEqual(['damaged']);
});
