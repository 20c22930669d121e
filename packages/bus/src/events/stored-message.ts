import type { Msg, SeqMsgRequest, StoredMsg } from 'nats';
import { API_ERROR, isApiError, toBusError } from '../bus-error.ts';
import type { Bus } from '../connection.ts';
import { eventsStream, eventsSubject } from '../names.ts';
import type { StoredEvent } from './part-joiner.ts';

/** The message at a sequence as the leader has it; undefined when it has none there. */
export async function messageAtLeader(bus: Bus, cluster: string, sequence: number): Promise<StoredEvent | undefined> {
  const jsm = await bus.jsm();
  return get(cluster, () => jsm.streams.getMessage(eventsStream(cluster), { seq: sequence }));
}

/** The sequence of the first message at or behind `sequence`, as the leader has it. */
export async function firstSequenceFrom(bus: Bus, cluster: string, sequence: number): Promise<number | undefined> {
  const jsm = await bus.jsm();
  const query: SeqMsgRequest & { next_by_subj: string } = { seq: sequence, next_by_subj: eventsSubject(cluster) };
  return (await get(cluster, () => jsm.streams.getMessage(eventsStream(cluster), query)))?.sequence;
}

/** The last message as the leader has it: the direct way may end at a replica that lags. */
export async function lastMessageAtLeader(bus: Bus, cluster: string): Promise<StoredEvent | undefined> {
  const jsm = await bus.jsm();
  return get(cluster, () => jsm.streams.getMessage(eventsStream(cluster), { last_by_subj: eventsSubject(cluster) }));
}

/** Answered by any replica: fast, and a message that is missing here may exist. */
export function messageAtReplica(bus: Bus, cluster: string, sequence: number): Promise<StoredEvent | undefined> {
  return directGet(bus, cluster, directSubject(cluster), JSON.stringify({ seq: sequence }));
}

/** Of any replica, so perhaps an older one than the last. */
export function lastMessageAtReplica(bus: Bus, cluster: string): Promise<StoredEvent | undefined> {
  return directGet(bus, cluster, `${directSubject(cluster)}.${eventsSubject(cluster)}`, '');
}

function directSubject(cluster: string): string {
  return `$JS.API.DIRECT.GET.${eventsStream(cluster)}`;
}

/** The client has a direct get, but does not list it in its types. */
async function directGet(bus: Bus, cluster: string, subject: string, body: string): Promise<StoredEvent | undefined> {
  let message: Msg;
  try {
    message = await bus.nc.request(subject, body, { timeout: bus.requestTimeoutMs });
  } catch (error) {
    throw toBusError(error, `Reading the event stream of ${cluster}`);
  }
  if (message.headers !== undefined && message.headers.code >= 400) return undefined;
  const sequence = Number(message.headers?.get('Nats-Sequence'));
  if (!Number.isSafeInteger(sequence) || sequence < 1) return undefined;
  return { sequence, headers: message.headers, payload: asBuffer(message.data) };
}

async function get(cluster: string, ask: () => Promise<StoredMsg>): Promise<StoredEvent | undefined> {
  try {
    const message = await ask();
    return { sequence: message.seq, headers: message.header, payload: asBuffer(message.data) };
  } catch (error) {
    if (isApiError(error, API_ERROR.messageNotFound)) return undefined;
    throw toBusError(error, `Reading the event stream of ${cluster}`);
  }
}

export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** What a socket is read into at a time. */
const READ_BYTES_MAX = 64 * 1024;

/**
 * Gives the memory of a message's payload back at once; every view of it is empty afterwards. A message that is longer than one read of the
 * socket lies in a buffer that the client made for it alone, of up to twice its size. Shorter ones may lie among others: they stay.
 */
export function freeReceived({ buffer, length }: Buffer): void {
  if (length > READ_BYTES_MAX && buffer instanceof ArrayBuffer) buffer.transfer(0);
}
