import { isEtcdOpsError } from '@etcd-ops/core';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { eventually, NATS_VERSIONS, natsOrSkip } from '@etcd-ops/test-kit';
import type { Bus } from '../connection.ts';
import { checkContiguous, rowsEvent, startEvent } from '../testing/rows.ts';
import { connectTo } from '../testing/connect-to.ts';
import { ensureEventStream } from '../topology.ts';
import type { EventRead } from './event-assembler.ts';
import { EventWriter } from './event-writer.ts';
import type { Skipped } from './part-joiner.ts';
import { readEvents } from './read-events.ts';
import { streamFacts } from './stream-facts.ts';

const CLUSTER = 'prod';
const MIB = 1024 * 1024;

/** A small generator with a seed, so that a failure can be run again. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

interface Tally {
  acknowledged: number;
  messages: number;
  opened: number;
  codes: Record<string, number>;
}

/** Writes as a watcher does: opens, goes on from where the history ends, opens again after every trouble. */
async function capture(bus: Bus, options: { signal: AbortSignal; seed: number; pauses?: boolean }): Promise<Tally> {
  const tally: Tally = { acknowledged: 0, messages: 0, opened: 0, codes: {} };
  const next = random(options.seed);
  while (!options.signal.aborted) {
    try {
      const { writer, last } = await EventWriter.open(bus, CLUSTER, { signal: options.signal });
      tally.opened++;
      let revision = last?.last ?? 0;
      if (last === undefined) await writer.publish(startEvent(0));
      while (!options.signal.aborted) {
        // Without pauses the first writer would never let the other one finish opening.
        if (options.pauses === true && next() < 0.1) await delay(next() * 60);
        const length = 1 + Math.floor(next() * 20);
        const bytes = next() < 0.02 ? MIB / 4 : 64 + Math.floor(next() * 500);
        await writer.publish(rowsEvent(revision + 1, revision + length, { bytes }));
        revision += length;
        tally.acknowledged = revision;
        tally.messages++;
      }
    } catch (error) {
      if (options.signal.aborted) break;
      if (!isEtcdOpsError(error)) throw error;
      tally.codes[error.code] = (tally.codes[error.code] ?? 0) + 1;
      await delay(20 + next() * 130);
    }
  }
  return tally;
}

async function judge(bus: Bus, tallies: readonly Tally[]): Promise<Skipped[]> {
  const { lastSequence } = await streamFacts(bus, CLUSTER);
  const skipped: Skipped[] = [];
  const events: EventRead[] = [];
  for await (const event of readEvents(bus, CLUSTER, {
    from: 1,
    to: lastSequence,
    onSkipped: (one) => skipped.push(one),
  })) {
    events.push(event);
  }
  const { last } = checkContiguous(events);
  expect(last).toBeGreaterThanOrEqual(Math.max(...tallies.map((tally) => tally.acknowledged)));
  return skipped;
}

const SEED = Date.now() >>> 0;

describe.each(NATS_VERSIONS)(`nats-server %s (seed ${SEED})`, (version) => {
  test('two writers that fight leave one history', async (context) => {
    await using server = await natsOrSkip(context, version);
    await using left = await connectTo(server);
    await using right = await connectTo(server);
    await ensureEventStream(left, CLUSTER, { bytesMax: 1024 * MIB });
    const stop = AbortSignal.timeout(3_000);
    const tallies = await Promise.all([
      capture(left, { signal: stop, seed: SEED, pauses: true }),
      capture(right, { signal: stop, seed: SEED + 1, pauses: true }),
    ]);
    const skipped = await judge(left, tallies);
    // They did fight, and none of it needed the reader to look away from a hole.
    const fenced = tallies.map(({ codes }) => codes['BUS_FENCED'] ?? 0);
    expect(Math.min(...fenced)).toBeGreaterThan(0);
    expect(skipped.filter(({ reason }) => reason !== 'incomplete' && reason !== 'overlap')).toEqual([]);
  });

  test('a server killed under load loses nothing that was acknowledged', async (context) => {
    await using server = await natsOrSkip(context, version);
    await using bus = await connectTo(server);
    await ensureEventStream(bus, CLUSTER, { bytesMax: 1024 * MIB });
    const stop = new AbortController();
    const capturing = capture(bus, { signal: stop.signal, seed: SEED });
    for (let round = 0; round < 4; round++) {
      const { lastSequence } = await streamFacts(bus, CLUSTER);
      await eventually(async () => (await streamFacts(bus, CLUSTER)).lastSequence > lastSequence + 200);
      await server.kill();
      await server.start();
      await eventually(() => bus.connected);
    }
    const { lastSequence } = await streamFacts(bus, CLUSTER);
    await eventually(async () => (await streamFacts(bus, CLUSTER)).lastSequence > lastSequence + 100);
    stop.abort();
    const tally = await capturing;
    expect(tally.opened).toBeGreaterThan(4);
    const skipped = await judge(bus, [tally]);
    expect(skipped.filter(({ reason }) => reason !== 'incomplete' && reason !== 'overlap')).toEqual([]);
  });
});
