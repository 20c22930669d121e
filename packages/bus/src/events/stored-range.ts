import { DeliverPolicy, type Msg } from 'nats';
import { cancelled, toBusError } from '../bus-error.ts';
import type { Bus } from '../connection.ts';
import { eventsStream, eventsSubject } from '../names.ts';
import { pull } from '../pull-request.ts';
import { createReadingConsumer, deleteReadingConsumer } from '../reading-consumer.ts';
import type { Skipped, StoredEvent } from './part-joiner.ts';
import { asBuffer, firstSequenceFrom, messageAtLeader, messageAtReplica } from './stored-message.ts';
import { streamFacts, type StreamFacts } from './stream-facts.ts';

/** Up to this many messages, asking for each is faster than making a consumer. */
const DIRECT_MESSAGES_MAX = 16;
const DIRECT_IN_FLIGHT = 4;
/** What one pull may bring; a single message may always come. All of it is held at a time, each twice while it arrives. */
const BATCH_BYTES = 2 * 1024 * 1024;
/** Of a message, what the server counts beside the payload. */
const ENVELOPE_BYTES_MAX = 64 * 1024;
const BATCH_MESSAGES_MAX = 512;
const CONSUMER_IDLE_MS = 60_000;
const FRUITLESS_CONSUMERS_MAX = 10;

export interface RangeOptions {
  /** Stream sequences, both inclusive. */
  from: number;
  to: number;
  signal?: AbortSignal;
  /** What was just asked; else it is asked. */
  facts?: StreamFacts;
  /** Leave the payloads behind. */
  headersOnly?: boolean;
}

/** The stored messages between two sequences in order; what the stream no longer has comes as `missing`. */
export async function* storedMessages(
  bus: Bus,
  cluster: string,
  options: RangeOptions,
): AsyncGenerator<StoredEvent | Skipped> {
  const facts = options.facts ?? (await streamFacts(bus, cluster));
  const to = Math.min(options.to, facts.lastSequence);
  const from = Math.max(options.from, facts.firstSequence);
  if (from > options.from && options.from <= to) yield missing(options.from, Math.min(from - 1, to));
  if (from > to) return;
  if (to - from < DIRECT_MESSAGES_MAX) {
    yield* messagesOneByOne(bus, cluster, { ...options, from, to });
    return;
  }
  yield* messagesByConsumer(bus, cluster, { ...options, from, to });
}

async function* messagesOneByOne(
  bus: Bus,
  cluster: string,
  range: RangeOptions,
): AsyncGenerator<StoredEvent | Skipped> {
  const ahead: Promise<StoredEvent | undefined>[] = [];
  let asked = range.from;
  try {
    for (let sequence = range.from; sequence <= range.to; sequence++) {
      if (range.signal?.aborted === true) throw cancelled('Reading events', range.signal);
      while (asked <= range.to && ahead.length < DIRECT_IN_FLIGHT) ahead.push(messageAt(bus, cluster, asked++));
      yield (await ahead.shift()!) ?? missing(sequence, sequence);
    }
  } finally {
    // Nobody awaits these any more, and a rejection without a listener would end the process.
    for (const promise of ahead) promise.catch(() => {});
  }
}

async function messageAt(bus: Bus, cluster: string, sequence: number): Promise<StoredEvent | undefined> {
  // A replica may lag, and old streams may not allow it at all: only the leader can say that a message is gone.
  const stored = await messageAtReplica(bus, cluster, sequence).catch(() => undefined);
  return stored ?? messageAtLeader(bus, cluster, sequence);
}

async function* messagesByConsumer(
  bus: Bus,
  cluster: string,
  range: RangeOptions,
): AsyncGenerator<StoredEvent | Skipped> {
  let next = range.from;
  for (let fruitless = 0; next <= range.to; fruitless++) {
    if (fruitless > FRUITLESS_CONSUMERS_MAX) {
      throw toBusError(new Error(`no message at ${next} after ${fruitless} tries`), `Reading the events of ${cluster}`);
    }
    await bus.whenConnected(range.signal);
    for await (const stored of consume(bus, cluster, { ...range, from: next })) {
      const gone = stored.sequence > next ? await firstSequenceFrom(bus, cluster, next) : next;
      // Something was lost on its way: another consumer begins there.
      if (gone !== undefined && gone < stored.sequence && gone > next) break;
      if (stored.sequence > next) yield missing(next, stored.sequence - 1);
      yield stored;
      next = stored.sequence + 1;
      fruitless = 0;
    }
    if (next > range.to) return;
    // The consumer ended early: it sits on a replica that lags, the connection broke, or the stream holds no more.
    const after = await firstSequenceFrom(bus, cluster, next);
    if (after === next) continue;
    const end = Math.min((after ?? range.to + 1) - 1, range.to);
    yield missing(next, end);
    next = end + 1;
  }
}

/** What one consumer delivers from `from` on, in order, until it has no more or a pull is lost. */
async function* consume(bus: Bus, cluster: string, range: RangeOptions): AsyncGenerator<StoredEvent> {
  const stream = eventsStream(cluster);
  const signal = range.signal === undefined ? {} : { signal: range.signal };
  const bytesMax = Math.max(BATCH_BYTES, bus.maxPayloadBytes + ENVELOPE_BYTES_MAX);
  const consumer = await createConsumer(bus, cluster, range);
  try {
    for (let wanted = range.to - range.from + 1; wanted > 0;) {
      const batch = Math.min(BATCH_MESSAGES_MAX, wanted);
      const { messages, end } = await pull(bus, { stream, consumer, batch, bytesMax, expiresMs: 0, ...signal });
      const isFruitless = messages.length === 0;
      // What was handed on is not kept.
      for (let message = messages.shift(); message !== undefined; message = messages.shift()) {
        const sequence = sequenceOf(message);
        if (sequence > range.to) return;
        yield {
          sequence,
          headers: message.headers,
          ...(range.headersOnly === true ? {} : { payload: asBuffer(message.data) }),
        };
        wanted = range.to - sequence;
      }
      if (end === 'cancelled') throw cancelled('Reading events', range.signal);
      if (end !== 'full' || isFruitless) return;
    }
  } finally {
    deleteReadingConsumer(bus, stream, consumer);
  }
}

function createConsumer(bus: Bus, cluster: string, range: RangeOptions): Promise<string> {
  return createReadingConsumer(bus, {
    stream: eventsStream(cluster),
    what: `Reading the events of ${cluster}`,
    filter: eventsSubject(cluster),
    start: { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: range.from },
    idleMs: CONSUMER_IDLE_MS,
    headersOnly: range.headersOnly === true,
    signal: range.signal,
  });
}

/** From `$JS.ACK.<stream>.<consumer>.<delivered>.<stream sequence>...`, or the longer form with domain and account. */
function sequenceOf(message: Msg): number {
  const tokens = (message.reply ?? '').split('.');
  return Number(tokens[tokens.length === 9 ? 5 : 7]);
}

function missing(firstSequence: number, lastSequence: number): Skipped {
  return { reason: 'missing', firstSequence, lastSequence };
}
