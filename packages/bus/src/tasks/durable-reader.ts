import { AckPolicy, DeliverPolicy, nanos, ReplayPolicy } from 'nats';
import { API_ERROR, isApiError, toBusError } from '../bus-error.ts';
import type { Bus } from '../connection.ts';
import { pull } from '../pull-request.ts';
import { TaskDelivery } from './task-delivery.ts';

export interface ReaderOptions {
  stream: string;
  /** Of the lines of `stream` that are wanted. */
  filter: string;
  durable: string;
  /** What was read and not settled for so long is given out again. */
  ackWaitMs: number;
}

/** Lines that several processes share: each is given to one of them, again until it is settled. */
export interface Batch {
  lines: { subject: string; sequence: number; text: string }[];
  /** All of them; an acknowledgement that is lost means that they come again. */
  settle(): Promise<void>;
  /** All of them are given out again, at once. */
  giveBack(): void;
}

/** Makes the consumer if it is missing. A new one begins with what comes from now on. */
export async function ensureReader(bus: Bus, options: ReaderOptions): Promise<void> {
  const { stream, filter, durable, ackWaitMs } = options;
  const jsm = await bus.jsm();
  try {
    await jsm.consumers.add(stream, {
      durable_name: durable,
      filter_subject: filter,
      ack_policy: AckPolicy.Explicit,
      ack_wait: nanos(ackWaitMs),
      deliver_policy: DeliverPolicy.New,
      replay_policy: ReplayPolicy.Instant,
      max_deliver: -1,
    });
  } catch (error) {
    // Another version made it with other limits: it serves as well.
    if (isApiError(error, API_ERROR.consumerExists)) return;
    throw toBusError(error, `Preparing the consumer ${durable} of ${stream}`);
  }
}

/**
 * The next lines, as soon as there is one; none when `waitMs` are over.
 * @throws EtcdOpsError BUS_FAILED when the consumer is gone or the connection broke; CANCELLED never: an abort gives none.
 */
export async function readBatch(
  bus: Bus,
  options: ReaderOptions & { linesMax: number; waitMs: number; signal: AbortSignal },
): Promise<Batch> {
  const { stream, durable: consumer, linesMax, waitMs, signal } = options;
  // One that waits for the first, then what else is there: a pull for many would wait until it is full.
  const first = await pull(bus, { stream, consumer, batch: 1, expiresMs: waitMs, signal });
  const rest =
    first.messages.length === 0 || linesMax === 1
      ? undefined
      : await pull(bus, { stream, consumer, batch: linesMax - 1, expiresMs: 0 });
  const deliveries = [...first.messages, ...(rest?.messages ?? [])].map((message) => new TaskDelivery(bus, message));
  if (deliveries.length === 0 && (first.end === 'gone' || first.end === 'lost')) {
    throw toBusError(new Error(`The pull ended: ${first.end}`), `Reading from ${consumer} of ${stream}`);
  }
  return {
    lines: deliveries.map(({ subject, sequence, text }) => ({ subject, sequence, text })),
    async settle() {
      await Promise.all(deliveries.map((delivery) => delivery.ack()));
    },
    giveBack() {
      for (const delivery of deliveries) delivery.nak(0);
    },
  };
}
