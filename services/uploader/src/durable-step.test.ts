import { deltaKey, DeltaEncoder, LocalStore, RowBlock, RowBlockBuilder, STORED_PLAIN } from '@etcd-ops/core';
import { createLogger } from '@etcd-ops/service-kit';
import { tempDir } from '@etcd-ops/test-kit';
import { expect, test } from 'vitest';
import { makeDurable } from './durable-step.ts';

test('what is stored is not held any more', async () => {
  await using dir = tempDir();
  const builder = new RowBlockBuilder();
  builder.append(11, 0, false, Buffer.from('a row'));
  const encoder = new DeltaEncoder({ clusterId: 7n, timeline: 1, epoch: 'e'.repeat(32) });
  encoder.addRows(RowBlock.parse(builder.take()));
  encoder.addTime(11, 1_000);
  const delta = encoder.finish();
  const { bytes } = delta;
  const key = deltaKey({ cluster: 'c', timeline: 1, first: 11, last: 11, lastObservedMs: 1_000 });
  const position = { timeline: 1, revision: 11, digest: null, sequence: 3 };
  const store = new LocalStore(dir.path);
  const logger = createLogger({ level: 'silent', name: 'test' });
  const signal = new AbortController().signal;
  const options = { store, packing: STORED_PLAIN, logger, signal };
  const step = { kind: 'delta', key, delta, position, rowsSequence: 3 } as const;
  expect((await makeDurable(step, 'c', options)).storedBytes).toBe(bytes.length);
  expect(await store.get(key)).toEqual(bytes);
  expect(delta.bytes).toHaveLength(0);
});
