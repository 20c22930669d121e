import {
  connectBus,
  ensureEventStream,
  ensureTopology,
  EventWriter,
  positionKey,
  positions,
  removeEventStream,
  type Bus,
} from '@etcd-ops/bus';
import { NATS_VERSIONS, natsOrSkip } from '@etcd-ops/test-kit';
import { expect, test } from 'vitest';
import { busPort } from './scheduler-port.ts';

const CLUSTER = 'prod';

/** A stream of one message. */
async function write(bus: Bus): Promise<void> {
  await ensureEventStream(bus, CLUSTER, { bytesMax: 1024 * 1024 });
  const { writer } = await EventWriter.open(bus, CLUSTER);
  const start = { kind: 'start', timeline: 1, clusterId: 7n, digest: null, cause: 'first', observedMs: 1_000 } as const;
  await writer.publish({ ...start, revision: 4 });
}

test.for(NATS_VERSIONS)(
  'another message under the recorded sequence is no calm (nats-server %s)',
  async (version, context) => {
    await using server = await natsOrSkip(context, version);
    await using bus = await connectBus({ url: server.url, name: 'test' });
    await ensureTopology(bus);
    await write(bus);
    const position = { version: 1, timeline: 1, revision: 4, digest: null, sequence: 1 } as const;
    const record = () => positions(bus).put(positionKey(CLUSTER), { ...position, updatedAt: new Date().toISOString() });
    await record();
    const port = busPort(bus);
    const isCalm = async () => {
      const { headSequence, recordedSequence } = await port.streamState(CLUSTER);
      return headSequence === recordedSequence;
    };
    expect([await isCalm(), await isCalm()]).toEqual([true, true]);
    // As a server without power has it, which gives a lost sequence out again.
    await removeEventStream(bus, CLUSTER);
    await write(bus);
    expect([await isCalm(), await isCalm()]).toEqual([false, false]);
    await record();
    expect([await isCalm(), await isCalm()]).toEqual([true, true]);
  },
);
