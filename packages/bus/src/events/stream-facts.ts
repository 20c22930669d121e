import { toBusError } from '../bus-error.ts';
import type { Bus } from '../connection.ts';
import { eventsStream } from '../names.ts';

export interface StreamFacts {
  messages: number;
  bytes: number;
  /** Of the oldest message; last + 1 when there is none. */
  firstSequence: number;
  /** Never goes back but for a server that lost its tail; the last message may lie below it. */
  lastSequence: number;
  bytesMax: number;
  /** When the newest message was stored: sequences are given out again when a tail is lost, times are not. */
  lastStoredAt: string;
}

/** What the leader says of a cluster's event stream. */
export async function streamFacts(bus: Bus, cluster: string): Promise<StreamFacts> {
  const jsm = await bus.jsm();
  try {
    const { state, config } = await jsm.streams.info(eventsStream(cluster));
    const { messages, bytes, first_seq: firstSequence, last_seq: lastSequence } = state;
    const { last_ts: lastStoredAt } = state;
    return { messages, bytes, firstSequence, lastSequence, bytesMax: config.max_bytes, lastStoredAt };
  } catch (error) {
    throw toBusError(error, `Asking for the event stream of ${cluster}`);
  }
}
