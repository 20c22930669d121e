import { eventually, findBinary, missingBinary, NATS_VERSIONS, natsOrSkip, startNatsCluster } from '@etcd-ops/test-kit';
import { describe, expect, test } from 'vitest';
import { connectBus, type Bus } from './connection.ts';
import { followStream } from './follow-stream.ts';
import { eventsStream, eventsSubject } from './names.ts';
import { ensureEventStream } from './topology.ts';

const STREAM = eventsStream('prod');
const FILTER = eventsSubject('prod');
const WAIT = { timeoutMs: 60_000 };

/** The sequences that a follower delivers, and how many it was told were behind each. */
class Seen {
  readonly sequences: number[] = [];
  readonly pending: number[] = [];
  readonly stop = new AbortController();
  readonly ended: Promise<void>;

  constructor(bus: Bus, from?: number) {
    const options = {
      stream: STREAM,
      filter: FILTER,
      signal: this.stop.signal,
      ...(from === undefined ? {} : { from }),
    };
    this.ended = (async () => {
      for await (const { sequence, pending } of followStream(bus, options)) {
        this.sequences.push(sequence);
        this.pending.push(pending);
      }
    })();
    this.ended.catch(() => undefined);
  }
}

const publish = async (bus: Bus, count: number): Promise<void> => {
  for (let n = 0; n < count; n++) await eventually(() => bus.js.publish(FILTER, 'x', { timeout: 2_000 }), WAIT);
};
const counted = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, n) => from + n);

describe.each(NATS_VERSIONS)('nats-server %s', (version) => {
  test('what is there comes in order, then each as it comes, over a restart and a lost consumer', async (context) => {
    await using nats = await natsOrSkip(context, version);
    await using bus = await connectBus({ url: nats.url, name: 'follower' });
    await ensureEventStream(bus, 'prod', { bytesMax: 1_000_000 });
    await publish(bus, 300);
    const all = new Seen(bus);
    const tail = new Seen(bus, 290);
    await eventually(() => all.sequences.length === 300 && tail.sequences.length === 11, WAIT);
    expect(all.pending.at(-1)).toBe(0);
    expect(all.pending[0]).toBe(299);
    await nats.kill();
    await nats.start();
    await publish(bus, 10);
    await eventually(() => all.sequences.length >= 310 && tail.sequences.length >= 21, WAIT);
    const jsm = await bus.jsm();
    for await (const { name } of jsm.consumers.list(STREAM)) await jsm.consumers.delete(STREAM, name);
    await publish(bus, 10);
    await eventually(() => all.sequences.length >= 320 && tail.sequences.length >= 31, WAIT);
    expect(all.sequences).toEqual(counted(1, 320));
    expect(tail.sequences).toEqual(counted(290, 320));
    all.stop.abort();
    await all.ended;
    await jsm.streams.delete(STREAM);
    await expect(tail.ended).rejects.toMatchObject({ code: 'BUS_FAILED' });
  });
});

test('the server that holds its consumer dies, and it goes on while that server is away', async (context) => {
  // The newest is met where a whole fleet loses a node.
  const version = '2.9';
  if (findBinary('nats-server', version) === undefined) context.skip(missingBinary('nats-server', version));
  await using cluster = await startNatsCluster({ version });
  await using bus = await connectBus({ url: cluster.urls, name: 'follower' });
  await eventually(() => ensureEventStream(bus, 'prod', { bytesMax: 1_000_000, replicas: 3 }), WAIT);
  const seen = new Seen(bus);
  await publish(bus, 20);
  await eventually(() => seen.sequences.length === 20, WAIT);
  const [consumer] = await (await bus.jsm()).consumers.list(STREAM).next();
  await cluster.servers[Number(consumer!.cluster!.leader!.slice(1)) - 1]!.kill();
  await publish(bus, 20);
  await eventually(() => seen.sequences.length >= 40, WAIT);
  seen.stop.abort();
  await seen.ended;
  expect(seen.sequences).toEqual(counted(1, seen.sequences.length));
});
