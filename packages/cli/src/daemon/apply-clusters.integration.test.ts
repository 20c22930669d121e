import {
  clusterKey,
  CLUSTERS_BUCKET,
  clusterSpecs,
  clusterSpecSchema,
  connectBus,
  ensureTopology,
  startPrivateServer,
} from '@etcd-ops/bus';
import { findBinary, missingBinary, tempDir } from '@etcd-ops/local-servers';

import { expect, test } from 'vitest';
import { applyClusters } from './apply-clusters.ts';

const spec = (name: string) =>
  clusterSpecSchema.parse({ version: 1, name, endpoints: ['a:1'], store: { provider: 'Local', bucket: '/b' } });

test('a file says nothing against what a later version has written', async (context) => {
  if (findBinary('nats-server') === undefined) return context.skip(missingBinary('nats-server'));
  await using dir = tempDir();
  const server = await startPrivateServer({ stateDir: dir.file('state') });
  await using stopping = new AsyncDisposableStack();
  stopping.defer(() => server.stop());
  await using bus = await connectBus({ url: server.url, token: server.token, name: 'test' });
  await ensureTopology(bus);
  const kv = await bus.js.views.kv(CLUSTERS_BUCKET, { bindOnly: true });
  const stored = async (name: string): Promise<unknown> => (await kv.get(clusterKey(name)))?.json();
  const grown = { ...spec('grown'), addedLater: 1 };
  const later = { ...spec('later'), version: 2, snapshots: 'something new' };
  for (const document of [grown, later]) await kv.put(clusterKey(document.name), JSON.stringify(document));

  // The same as before: nothing is written, so nothing is taken away. What nobody here can read is not pruned.
  const none = { added: [], changed: [], removed: [] };
  expect(await applyClusters(bus, [spec('grown')], () => true)).toEqual(none);
  expect(await stored('grown')).toEqual(grown);
  expect(await stored('later')).toEqual(later);

  // Nor is it replaced.
  const refused = { code: 'BUS_VERSION_UNKNOWN', message: /etcdops_clusters\/later has version 2/ };
  const applying = applyClusters(bus, [spec('later')], () => false);
  await expect(applying).rejects.toMatchObject({ code: refused.code });
  await expect(applying).rejects.toThrow(refused.message);
  expect(await stored('later')).toEqual(later);

  // Who changes a field keeps the others.
  const before = (await clusterSpecs(bus).get(clusterKey('grown')))!;
  expect(before.unknown).toEqual([{ path: ['addedLater'], value: 1 }]);
  const edited = { ...before.value, timezone: 'Europe/Berlin' };
  await clusterSpecs(bus).update(clusterKey('grown'), edited, before.revision, before);
  expect(await stored('grown')).toEqual({ ...grown, timezone: 'Europe/Berlin' });

  // A file that says something else is the whole of what is wanted.
  const changed = { ...spec('grown'), timezone: 'UTC' };
  expect(await applyClusters(bus, [changed], () => false)).toEqual({ ...none, changed: ['grown'] });
  expect(await stored('grown')).toEqual(changed);
});
