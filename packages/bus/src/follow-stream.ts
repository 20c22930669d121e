import { isEtcdOpsError } from '@etcd-ops/core';
import { DeliverPolicy, type Msg, type MsgHdrs } from 'nats';
import { isDefiniteRefusal, toBusError } from './bus-error.ts';
import type { Bus } from './connection.ts';
import { pause, pull } from './pull-request.ts';
import { createReadingConsumer, deleteReadingConsumer } from './reading-consumer.ts';

export interface FollowOptions {
  stream: string;
  /** Covers every subject of the stream: rights name it. */
  filter: string;
  /** The first sequence that is wanted; default: all there is. */
  from?: number;
  signal: AbortSignal;
}

export interface FollowedMessage {
  sequence: number;
  headers: MsgHdrs | undefined;
  data: Uint8Array;
  /** How many there were behind it when it was sent. */
  pending: number;
}

/** A server that died with the consumer is noticed after this and the silence that `pull` allows. */
const PULL_MS = 5_000;
const BATCH_MESSAGES_MAX = 256;
const CONSUMER_IDLE_MS = 60_000;
const CREATE_TRIES_MAX = 10;
const CREATE_PAUSE_MS = 500;

/**
 * The messages of a stream in order, then each as it comes, until the signal is aborted. The client's own ordered consumer lies in the
 * memory of one server; when that one died, it made itself anew only sometimes, and else was silent for good.
 * @throws EtcdOpsError BUS_FAILED when the stream is gone or ends before what was read; that of the bus when no consumer can be made.
 */
export async function* followStream(bus: Bus, options: FollowOptions): AsyncGenerator<FollowedMessage> {
  const { stream, signal } = options;
  let next = options.from ?? 1;
  while (!signal.aborted) {
    const consumer = await createConsumer(bus, options, next);
    if (consumer === undefined) return;
    try {
      for await (const message of consume(bus, options, consumer)) {
        yield message;
        next = message.sequence + 1;
      }
    } finally {
      deleteReadingConsumer(bus, stream, consumer);
    }
  }
}

/** What one consumer delivers; ends when it is lost, or when a message of it is. */
async function* consume(
  bus: Bus,
  { stream, signal }: FollowOptions,
  consumer: string,
): AsyncGenerator<FollowedMessage> {
  let delivered = 0;
  for (let isCaughtUp = false; ;) {
    // Those that are there, then one that comes: a pull for many would wait until it is full.
    const wanted = isCaughtUp ? { batch: 1, expiresMs: PULL_MS } : { batch: BATCH_MESSAGES_MAX, expiresMs: 0 };
    const { messages, end } = await pull(bus, { stream, consumer, ...wanted, signal });
    for (const message of messages) {
      const facts = deliveryOf(message);
      if (facts.delivery !== delivered + 1) return;
      delivered = facts.delivery;
      yield { sequence: facts.sequence, headers: message.headers, data: message.data, pending: facts.pending };
    }
    if (end !== 'full' && end !== 'empty') return;
    isCaughtUp = messages.length === 0;
  }
}

/** undefined: the signal was aborted. */
async function createConsumer(bus: Bus, options: FollowOptions, from: number): Promise<string | undefined> {
  const { stream, filter, signal } = options;
  const jsm = await bus.jsm();
  for (let attempt = 1; !signal.aborted; attempt++) {
    try {
      await bus.whenConnected(signal);
      const { last_seq: last } = (await jsm.streams.info(stream)).state;
      if (last < from - 1) throw new Error(`it ends at ${last}, and was read to ${from - 1}`);
      return await createReadingConsumer(bus, {
        ...{ stream, what: `Following ${stream}`, filter, idleMs: CONSUMER_IDLE_MS, signal },
        start: { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: from },
      });
    } catch (error) {
      if (signal.aborted) return undefined;
      const isFinal = isDefiniteRefusal(error) || isEtcdOpsError(error, 'BUS_FAILED');
      if (isFinal || attempt >= CREATE_TRIES_MAX) throw toBusError(error, `Following ${stream}`);
      await pause(CREATE_PAUSE_MS, signal).catch(() => undefined);
    }
  }
  return undefined;
}

/** From `$JS.ACK.<stream>.<consumer>.<tries>.<sequence>.<delivery>.<time>.<pending>`, or the longer form with domain and account. */
function deliveryOf(message: Msg): { sequence: number; delivery: number; pending: number } {
  const tokens = (message.reply ?? '').split('.');
  const at = tokens.length === 9 ? 5 : 7;
  return { sequence: Number(tokens[at]), delivery: Number(tokens[at + 1]), pending: Number(tokens[at + 3]) };
}
