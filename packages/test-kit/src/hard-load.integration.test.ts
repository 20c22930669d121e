import { expect, test } from 'vitest';
import { etcdVersions, HARD_LOAD_FLAGS, hardLoad, startEtcd } from './index.ts';

test.each(etcdVersions())('every kind of operation reaches etcd %s', { timeout: 60_000 }, async (version) => {
  await using etcd = await startEtcd({ version, extraFlags: HARD_LOAD_FLAGS });
  const report = await hardLoad({
    endpoints: etcd.endpoints,
    operations: 300,
    valueBytesMax: 100_000,
    txnOpsMax: 1_000,
  });
  const kinds = Object.keys(report.done);
  expect(kinds, JSON.stringify(report.refusals)).toHaveLength(20);
  expect(report.revision).toBeGreaterThan(150);
  expect(report.shortLeases.length).toBeGreaterThan(0);
});
