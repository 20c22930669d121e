import {
  clusterKey,
  clusterSpecs,
  clusterSpecSchema,
  CLUSTERS_BUCKET,
  connectBus,
  ensureTopology,
} from '@etcd-ops/bus';
import { eventually, findBinary, missingBinary, startNats, tempDir } from '@etcd-ops/test-kit';
import { describe, expect, it } from 'vitest';
import { createLogger } from './logger.ts';
import { createMetrics } from './metrics.ts';
import { createServiceContext } from './service-context.ts';

const logger = createLogger({ level: 'silent', name: 'test' });
const base = clusterSpecSchema.parse({
  version: 1,
  name: 'x',
  endpoints: ['a:1'],
  store: { provider: 'Local', bucket: '/b' },
});

describe.each(['2.9', '2.10'])('the clusters on nats-server %s', (version) => {
  it('follow changes, survive an outage, and keep the last version of a spec that nobody can read', async ({
    skip,
  }) => {
    skip(findBinary('nats-server', version) === undefined, missingBinary('nats-server', version));
    await using dir = tempDir();
    await using nats = await startNats({ version });
    await using bus = await connectBus({ url: nats.url, name: 'test' });
    await ensureTopology(bus);
    const put = (name: string, endpoint: string) =>
      clusterSpecs(bus).put(clusterKey(name), { ...base, name, endpoints: [endpoint] });
    await put('my.prod', 'a:1');
    const options = {
      bus,
      logger,
      metrics: createMetrics('test'),
      stateDir: dir.file('state'),
      spoolDir: dir.file('spool'),
    };
    await using context = await createServiceContext(options);
    const { clusters } = context;
    expect(clusters.get('my.prod')?.endpoints).toEqual(['a:1']);
    await put('my.prod', 'b:1');
    await eventually(() => expect(clusters.get('my.prod')?.endpoints).toEqual(['b:1']));

    await nats.kill();
    expect(clusters.size).toBe(1);
    await nats.start();
    await bus.whenConnected();
    await put('other', 'c:1');
    await eventually(() => expect(clusters.get('other')?.endpoints).toEqual(['c:1']), { timeoutMs: 35_000 });

    const kv = await bus.js.views.kv(CLUSTERS_BUCKET, { bindOnly: true });
    const added = {
      ...base,
      name: 'added',
      endpoints: ['e:1'],
      addedLater: true,
      store: { ...base.store, alsoLater: 1 },
    };
    await kv.put(clusterKey('added'), JSON.stringify(added));
    await eventually(() => expect(clusters.get('added')).toEqual({ ...base, name: 'added', endpoints: ['e:1'] }));
    await kv.put(clusterKey('my.prod'), '{"version":99}');
    await put('third', 'd:1');
    await eventually(() => expect(clusters.get('third')).toBeDefined());
    expect(clusters.get('my.prod')?.endpoints).toEqual(['b:1']);
    await clusterSpecs(bus).delete(clusterKey('other'));
    await eventually(() => expect(clusters.get('other')).toBeUndefined());
    expect(await context.metrics.exposition()).toMatch(/etcdops_clusters_unreadable(\{[^}]*\})? 1$/m);
  });
});
