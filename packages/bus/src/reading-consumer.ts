import { AckPolicy, nanos, nuid, ReplayPolicy, type ConsumerConfig } from 'nats';
import { cancelled, isDefiniteRefusal, toBusError } from './bus-error.ts';
import type { Bus } from './connection.ts';
import { pause } from './pull-request.ts';

const TRIES_MAX = 7;
/** The first few are given up early: a server that is there answers within milliseconds, and one that is not never does. */
const QUICK_TRIES = 3;
const PAUSE_MS = 100;

export interface ReadingConsumerOptions {
  stream: string;
  /** Says who reads: in an error. */
  what: string;
  /** The rights name it. */
  filter: string;
  /** Where it begins. */
  start: Pick<ConsumerConfig, 'deliver_policy'> & Partial<ConsumerConfig>;
  /** The server removes it when nobody has asked it for so long. */
  idleMs: number;
  headersOnly?: boolean;
  signal?: AbortSignal | undefined;
}

/**
 * Makes a consumer for one reader, in the memory of one server, and answers its name. Where a stream has three replicas the server picks
 * one of its nodes, even one that is dead, and then nobody answers: measured, a third of all tries for as long as a node is away. So it is
 * tried again, each time under another name: one that was asked for before stays where it was put.
 * @throws EtcdOpsError of the bus, CANCELLED
 */
export async function createReadingConsumer(bus: Bus, options: ReadingConsumerOptions): Promise<string> {
  const { stream, what, filter, start, idleMs, headersOnly = false, signal } = options;
  for (let attempt = 1; ; attempt++) {
    const name = nuid.next();
    try {
      const jsm = await (attempt <= QUICK_TRIES ? bus.quickJsm() : bus.jsm());
      await jsm.consumers.add(stream, {
        ...start,
        // The rights name the filter only if the consumer has a name (bus.md part 7).
        name,
        filter_subject: filter,
        ack_policy: AckPolicy.None,
        replay_policy: ReplayPolicy.Instant,
        max_deliver: 1,
        mem_storage: true,
        num_replicas: 1,
        inactive_threshold: nanos(idleMs),
        ...(headersOnly ? { headers_only: true } : {}),
      });
      return name;
    } catch (error) {
      if (signal?.aborted === true) throw cancelled(what, signal);
      if (isDefiniteRefusal(error) || attempt >= TRIES_MAX) throw toBusError(error, what);
      // It may be made after all.
      deleteReadingConsumer(bus, stream, name);
      await pause(attempt * PAUSE_MS, signal);
    }
  }
}

/** Nobody waits for it: what is left behind, the server removes by itself. */
export function deleteReadingConsumer(bus: Bus, stream: string, name: string): void {
  if (!bus.connected) return;
  bus.jsm().then(
    (jsm) => jsm.consumers.delete(stream, name).catch(() => false),
    () => false,
  );
}
