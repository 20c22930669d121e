import { decodeLeaseRecords, encodeLeaseRecords, LEASE_RECORD_BYTES, RowBlock, type LeaseRecord } from '@etcd-ops/core';
import { headers as createHeaders, type MsgHdrs } from 'nats';
import { newerVersion } from '../messages/read-tolerantly.ts';
import { invalid, START_CAUSES, type EventHeaders, type EventMessage } from './event-message.ts';

/** Source of the byte table: docs/MESSAGES.md. */
export const EVENT_VERSION = 1;
const ROW_BLOCK_LENGTH_BYTES = 4;
/** An event of this size would be a revision of some gigabyte: etcd refuses far smaller requests. */
export const EVENT_PAYLOAD_BYTES_MAX = 2 ** 30;
export const EVENT_PARTS_MAX = 65_536;

const NAMES = {
  version: 'Etcdops-Version',
  kind: 'Etcdops-Kind',
  epoch: 'Etcdops-Epoch',
  timeline: 'Etcdops-Timeline',
  clusterId: 'Etcdops-Cluster-Id',
  first: 'Etcdops-First',
  last: 'Etcdops-Last',
  rowCount: 'Etcdops-Rows',
  leaseCount: 'Etcdops-Leases',
  digest: 'Etcdops-Digest',
  digestRows: 'Etcdops-Digest-Rows',
  observedMs: 'Etcdops-Observed-Ms',
  cause: 'Etcdops-Cause',
  after: 'Etcdops-After',
  compacted: 'Etcdops-Compacted',
  leasesAskedTo: 'Etcdops-Leases-Asked-To',
  part: 'Etcdops-Part',
  payloadBytes: 'Etcdops-Bytes',
} as const;

/** Of a rows event: `row block length u32 LE | row block | lease records`. A start has no payload. */
export function encodePayload(message: EventMessage): Buffer {
  if (message.kind === 'start') return Buffer.alloc(0);
  const length = Buffer.alloc(ROW_BLOCK_LENGTH_BYTES);
  length.writeUInt32LE(message.rowBlock.length, 0);
  return Buffer.concat([length, message.rowBlock, encodeLeaseRecords(message.leases)]);
}

/** @throws EtcdOpsError BUS_MESSAGE_INVALID or ROW_BLOCK_DAMAGED */
export function decodePayload(payload: Buffer): { rows: RowBlock; leases: LeaseRecord[] } {
  if (payload.length < ROW_BLOCK_LENGTH_BYTES) throw invalid(`${payload.length} bytes are too few for a length`);
  const end = ROW_BLOCK_LENGTH_BYTES + payload.readUInt32LE(0);
  if (end > payload.length) throw invalid(`a row block of ${end - ROW_BLOCK_LENGTH_BYTES} bytes in ${payload.length}`);
  return {
    rows: RowBlock.parse(payload.subarray(ROW_BLOCK_LENGTH_BYTES, end)),
    leases: decodeLeaseRecords(payload.subarray(end)),
  };
}

/** Bytes that `encodePayload` would make: what a writer's batch is cut by. */
export function payloadByteLength(rowBlockBytes: number, leases: number): number {
  return ROW_BLOCK_LENGTH_BYTES + rowBlockBytes + leases * LEASE_RECORD_BYTES;
}

export function encodeHeaders(facts: EventHeaders): MsgHdrs {
  const target = createHeaders();
  const set = (name: string, value: string | number | undefined) => {
    if (value !== undefined) target.set(name, String(value));
  };
  set(NAMES.version, EVENT_VERSION);
  set(NAMES.kind, facts.kind);
  set(NAMES.epoch, facts.epoch);
  set(NAMES.timeline, facts.timeline);
  set(NAMES.clusterId, facts.clusterId.toString(16));
  set(NAMES.first, facts.first);
  set(NAMES.last, facts.last);
  set(NAMES.rowCount, facts.rowCount);
  set(NAMES.leaseCount, facts.leaseCount);
  set(NAMES.digest, facts.digest ?? undefined);
  set(NAMES.digestRows, facts.digestRows);
  set(NAMES.observedMs, facts.observedMs);
  set(NAMES.cause, facts.cause);
  set(NAMES.after, facts.after);
  set(NAMES.compacted, facts.compacted);
  set(NAMES.leasesAskedTo, facts.leasesAskedTo);
  set(NAMES.part, `${facts.part}/${facts.parts}`);
  set(NAMES.payloadBytes, facts.payloadBytes);
  return target;
}

/** @throws EtcdOpsError BUS_VERSION_UNKNOWN, or BUS_MESSAGE_INVALID naming the header. Headers that are not known are ignored. */
export function decodeHeaders(source: MsgHdrs | undefined): EventHeaders {
  const text = (name: string) => source?.get(name) ?? '';
  const version = text(NAMES.version);
  if (/^\d{1,9}$/.test(version) && Number(version) > EVENT_VERSION) {
    throw newerVersion(`An event has version ${version}, and this etcd-ops reads version ${EVENT_VERSION}`);
  }
  if (version !== String(EVENT_VERSION)) throw invalid(`version ${JSON.stringify(version)}`);
  const kind = text(NAMES.kind);
  if (kind !== 'rows' && kind !== 'start') throw invalid(`kind ${JSON.stringify(kind)}`);
  const [part, parts] = decodePart(text(NAMES.part));
  const cause = START_CAUSES.find((known) => known === text(NAMES.cause));
  if (kind === 'start' && cause === undefined) throw invalid(`a start for ${JSON.stringify(text(NAMES.cause))}`);
  const optional = (name: string) => (text(name) === '' ? undefined : decodeInteger(name, text(name)));
  const after = optional(NAMES.after);
  const compacted = optional(NAMES.compacted);
  const leasesAskedTo = optional(NAMES.leasesAskedTo);
  const facts: EventHeaders = {
    kind,
    epoch: matched(NAMES.epoch, text(NAMES.epoch), /^[0-9a-f]{32}$/),
    timeline: decodeInteger(NAMES.timeline, text(NAMES.timeline)),
    clusterId: BigInt(`0x${matched(NAMES.clusterId, text(NAMES.clusterId), /^[0-9a-f]{1,16}$/)}`),
    first: decodeInteger(NAMES.first, text(NAMES.first)),
    last: decodeInteger(NAMES.last, text(NAMES.last)),
    rowCount: decodeInteger(NAMES.rowCount, text(NAMES.rowCount)),
    leaseCount: decodeInteger(NAMES.leaseCount, text(NAMES.leaseCount)),
    digest: text(NAMES.digest) === '' ? null : matched(NAMES.digest, text(NAMES.digest), /^[0-9a-f]{64}$/),
    digestRows: decodeInteger(NAMES.digestRows, text(NAMES.digestRows)),
    observedMs: decodeInteger(NAMES.observedMs, text(NAMES.observedMs)),
    part,
    parts,
    payloadBytes: decodeInteger(NAMES.payloadBytes, text(NAMES.payloadBytes)),
    ...(cause === undefined ? {} : { cause }),
    ...(after === undefined ? {} : { after }),
    ...(compacted === undefined ? {} : { compacted }),
    ...(leasesAskedTo === undefined ? {} : { leasesAskedTo }),
  };
  if (facts.first > facts.last + 1) throw invalid(`revisions ${facts.first} to ${facts.last}`);
  if (facts.payloadBytes > EVENT_PAYLOAD_BYTES_MAX) throw invalid(`a payload of ${facts.payloadBytes} bytes`);
  return facts;
}

function decodePart(text: string): [number, number] {
  const match = /^(\d{1,5})\/(\d{1,5})$/.exec(text);
  const [part, parts] = [Number(match?.[1]), Number(match?.[2])];
  if (match === null || part < 1 || part > parts || parts > EVENT_PARTS_MAX) {
    throw invalid(`part ${JSON.stringify(text)}`);
  }
  return [part, parts];
}

function decodeInteger(name: string, text: string): number {
  const value = Number(matched(name, text, /^\d{1,16}$/));
  if (!Number.isSafeInteger(value)) throw invalid(`${name} is ${text}`);
  return value;
}

function matched(name: string, text: string, shape: RegExp): string {
  if (!shape.test(text)) throw invalid(`${name} is ${JSON.stringify(text.slice(0, 80))}`);
  return text;
}
