import { eventually, findBinary, missingBinary, NATS_VERSIONS, startNatsCluster } from '@etcd-ops/test-kit';
import { describe, expect, test, type TestContext } from 'vitest';
import { connectBus } from './connection.ts';
import type { EventRead } from './events/event-assembler.ts';
import { EventWriter } from './events/event-writer.ts';
import { readEvents } from './events/read-events.ts';
import { eventsStream } from './names.ts';
import { owners } from './state.ts';
import { checkContiguous, rowsEvent, startEvent } from './testing/rows.ts';
import { ensureEventStream, ensureTopology } from './topology.ts';

const CLUSTER = 'prod';

describe.each(NATS_VERSIONS)('three nats-servers %s', (version) => {
  async function clusterOrSkip(context: TestContext) {
    if (findBinary('nats-server', version) === undefined) context.skip(missingBinary('nats-server', version));
    return startNatsCluster({ version });
  }

  test('who reads a document sees what was written a moment before, whichever server it asks', async (context) => {
    await using cluster = await clusterOrSkip(context);
    await using writer = await connectBus({ url: cluster.urls[0]!, name: 'writer' });
    await ensureTopology(writer, { replicas: 3 });
    const buses = await Promise.all(cluster.urls.map((url) => connectBus({ url, name: 'reader' })));
    const readers = buses.map(owners);
    const store = owners(writer);
    let stale = 0;
    for (let n = 0; n < 200; n++) {
      const revision = await store.create(`c${n}`, { version: 1, watcher: `w${n}`, since: '2026-11-20T06:00:00Z' });
      const seen = await Promise.all(readers.map((reader) => reader.get(`c${n}`)));
      stale += seen.filter((found) => found?.revision !== revision).length;
    }
    for (const bus of buses) await bus.close();
    expect(stale).toBe(0);
  });

  test('the leader of a stream is killed under load, and nothing acknowledged is lost', async (context) => {
    await using cluster = await clusterOrSkip(context);
    await using bus = await connectBus({ url: cluster.urls, name: 'writer' });
    await ensureEventStream(bus, CLUSTER, { bytesMax: 256 * 1024 * 1024, replicas: 3 });
    let acknowledged = 0;
    let opened = 0;
    const stop = new AbortController();
    const writing = (async () => {
      while (!stop.signal.aborted) {
        try {
          const { writer, last } = await EventWriter.open(bus, CLUSTER, { signal: stop.signal });
          opened++;
          if (last === undefined) await writer.publish(startEvent(0));
          for (let next = (last?.last ?? 0) + 1; !stop.signal.aborted; next += 5) {
            await writer.publish(rowsEvent(next, next + 4));
            acknowledged = next + 4;
          }
        } catch {
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
      }
    })();
    await eventually(() => acknowledged > 500, { timeoutMs: 20_000 });
    const { cluster: before } = await (await bus.jsm()).streams.info(eventsStream(CLUSTER));
    const leader = cluster.servers[Number(before?.leader?.slice(1)) - 1]!;
    await leader.kill();
    const atKill = acknowledged;
    await eventually(() => acknowledged > atKill + 500, { timeoutMs: 40_000 });
    await leader.start();
    stop.abort();
    await writing;
    const events: EventRead[] = [];
    for await (const event of readEvents(bus, CLUSTER, { from: 1, to: Number.MAX_SAFE_INTEGER })) events.push(event);
    expect(checkContiguous(events).last).toBeGreaterThanOrEqual(acknowledged);
    expect(opened).toBeGreaterThan(1);
  });
});
