import type { Msg } from 'nats';
import { nanos } from 'nats';
import { cancelled, toBusError } from './bus-error.ts';
import type { Bus } from './connection.ts';

export interface PullOptions {
  stream: string;
  consumer: string;
  /** Messages wanted at most. */
  batch: number;
  /** Bytes wanted at most, with subjects and headers. A message that is larger alone never comes. */
  bytesMax?: number;
  /** How long the server keeps the request; 0: it answers with what there is, at once. */
  expiresMs: number;
  signal?: AbortSignal;
}

export interface Pulled {
  messages: Msg[];
  /**
   * full: as many, or as many bytes, as wanted. empty: the server has no more for now. gone: the consumer does not exist or was deleted.
   * lost: the connection broke or the server kept silent. cancelled: the signal was aborted.
   */
  end: 'full' | 'empty' | 'gone' | 'lost' | 'cancelled';
}

/** The server answers an expired request itself; if it is silent this much longer, the request is lost. */
const SILENCE_MS = 2_000;

/**
 * One pull request with a subscription of its own. The client's consumers hide what ends a pull, and drop what arrives
 * while they stop; here every message that the server sent is handed over, also after an abort: the caller MUST
 * acknowledge or hand back each.
 */
export async function pull(bus: Bus, options: PullOptions): Promise<Pulled> {
  const { signal, batch, bytesMax, expiresMs } = options;
  const messages: Msg[] = [];
  if (signal?.aborted === true) return { messages, end: 'cancelled' };
  const { promise: ended, resolve: end } = Promise.withResolvers<Pulled['end']>();
  const inbox = bus.createInbox();
  const subscription = bus.nc.subscribe(inbox, {
    callback: (error, message) => {
      if (error !== null) return end('lost');
      const status = message.headers?.code ?? 0;
      if (status !== 0 && message.subject === inbox) return end(endOf(status, message.headers!.description));
      messages.push(message);
      silence.refresh();
      if (messages.length === batch) end('full');
    },
  });
  const silence = setTimeout(() => end('lost'), Math.max(expiresMs, bus.requestTimeoutMs) + SILENCE_MS);
  const onAbort = () => end('cancelled');
  signal?.addEventListener('abort', onAbort, { once: true });
  const stopListening = bus.onStatus((status) => {
    if (status.type === 'disconnected' || status.type === 'closed') end('lost');
  });
  try {
    const request = {
      batch,
      ...(bytesMax === undefined ? {} : { max_bytes: bytesMax }),
      ...(expiresMs === 0 ? { no_wait: true } : { expires: nanos(expiresMs) }),
    };
    bus.nc.publish(`$JS.API.CONSUMER.MSG.NEXT.${options.stream}.${options.consumer}`, JSON.stringify(request), {
      reply: inbox,
    });
    const reason = await ended;
    // What is on its way when we turn away would wait for its acknowledgement to time out: drain fetches it.
    if (reason === 'cancelled' && bus.connected) await subscription.drain().catch(() => {});
    return { messages, end: messages.length >= batch ? 'full' : reason };
  } catch (error) {
    throw toBusError(error, `Pulling from ${options.stream}`);
  } finally {
    clearTimeout(silence);
    signal?.removeEventListener('abort', onAbort);
    stopListening();
    if (!subscription.isClosed()) subscription.unsubscribe();
  }
}

/** 404 no messages, 408 expired, 409 as many bytes as wanted / deleted / shutdown / leadership change / limits, 503 nobody listens. */
function endOf(status: number, description: string): Pulled['end'] {
  if (status === 503) return 'gone';
  if (status === 409 && /max ?bytes|batch completed/i.test(description)) return 'full';
  if (status === 409) return /deleted/i.test(description) ? 'gone' : 'lost';
  return status === 404 || status === 408 ? 'empty' : 'lost';
}

/** Waits, but not longer than until the signal is aborted. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(cancelled('Waiting', signal));
    const onAbort = () => {
      clearTimeout(timer);
      reject(cancelled('Waiting', signal));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
