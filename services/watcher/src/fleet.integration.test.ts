import { connectBus, ensureTopology, owners, OWNERS_BUCKET, watcherKey } from '@etcd-ops/bus';
import { createLogger, systemClock } from '@etcd-ops/service-kit';
import { eventually, NATS_VERSIONS, natsOrSkip } from '@etcd-ops/test-kit';
import { expect, test } from 'vitest';
import { Fleet } from './fleet.ts';

test('a watcher whose watch went deaf hears the others again', async (context) => {
  await using server = await natsOrSkip(context, NATS_VERSIONS[0]);
  await using bus = await connectBus({ url: server.url, name: 'test' });
  await ensureTopology(bus);
  const lines: string[] = [];
  const stream = { write: (line: string) => void lines.push(line) };
  const logger = createLogger({ level: 'debug', name: 'test', stream });
  const fleet = new Fleet({ bus, watcher: 'a', renewMs: 200, clock: systemClock, logger });
  const stop = new AbortController();
  const running = fleet.run(stop.signal);
  await eventually(() => fleet.isFollowed);
  // As when the node goes that served the watch: the connection to another one stays.
  const jsm = await bus.jsm();
  const bucket = `KV_${OWNERS_BUCKET}`;
  for (const { name } of await jsm.consumers.list(bucket).next()) await jsm.consumers.delete(bucket, name);
  await owners(bus).put(watcherKey('b'), { version: 1, watcher: 'b', since: new Date().toISOString() });
  await eventually(() => lines.some((line) => line.includes('The other watchers are followed anew')));
  await eventually(() => fleet.isFollowed && fleet.size === 2);
  expect(lines.filter((line) => line.includes('followed anew'))).toHaveLength(1);
  stop.abort();
  await running;
});
