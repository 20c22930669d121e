import { ByteWriter } from './byte-writer.ts';

/** Field numbers are those of etcd's api/etcdserverpb/rpc.proto. */

/** Any request without fields: Status, Defragment, Snapshot, LeaseLeases, AuthStatus. */
export const EMPTY_REQUEST = Buffer.alloc(0);

/** `\0` as key and as end of the range names every key; alone it names one key that nobody uses. */
export const LOWEST_KEY = Buffer.of(0);

export interface RangeQuestion {
  key: Uint8Array;
  rangeEnd?: Uint8Array;
  limit?: number;
  /** 0 = the newest. */
  revision?: number;
  serializable?: boolean;
  keysOnly?: boolean;
  countOnly?: boolean;
}

export function encodeRange(question: RangeQuestion): Buffer {
  return new ByteWriter()
    .bytes(1, question.key)
    .bytes(2, question.rangeEnd ?? EMPTY_REQUEST)
    .integer(3, question.limit ?? 0)
    .integer(4, question.revision ?? 0)
    .integer(7, question.serializable ?? false)
    .integer(8, question.keysOnly ?? false)
    .integer(9, question.countOnly ?? false)
    .finish();
}

export interface WatchCreation {
  /** The first revision wanted, at least 1. */
  startRevision: number;
  /** Lets etcd split large responses. */
  fragment: boolean;
  /** The watch's number on its stream; 0 lets etcd choose one. */
  watchId?: number;
}

/** A watch over every key, without previous values. */
export function encodeWatchCreate({ startRevision, fragment, watchId = 0 }: WatchCreation): Buffer {
  const creation = new ByteWriter()
    .bytes(1, LOWEST_KEY)
    .bytes(2, LOWEST_KEY)
    .integer(3, startRevision)
    .integer(7, watchId)
    .integer(8, fragment)
    .finish();
  return new ByteWriter().message(1, creation).finish();
}

export function encodeWatchCancel(watchId: number): Buffer {
  return new ByteWriter().message(2, new ByteWriter().integer(1, watchId).finish()).finish();
}

export function encodeWatchProgress(): Buffer {
  return new ByteWriter().message(3, EMPTY_REQUEST).finish();
}

export function encodeHashKv(revision: number): Buffer {
  return new ByteWriter().integer(1, revision).finish();
}

export function encodeMoveLeader(targetId: bigint): Buffer {
  return new ByteWriter().integer(1, targetId).finish();
}

/** AlarmRequest with action GET (0) and no member: every alarm. */
export const ALARM_LIST_REQUEST = EMPTY_REQUEST;

/** Without `keys`: those need rights of their own and can be many. */
export function encodeLeaseTimeToLive(id: bigint): Buffer {
  return new ByteWriter().integer(1, id).finish();
}

export function encodeMemberList({ linearizable }: { linearizable: boolean }): Buffer {
  return new ByteWriter().integer(1, linearizable).finish();
}

export function encodeCompact(revision: number, physical: boolean): Buffer {
  return new ByteWriter().integer(1, revision).integer(2, physical).finish();
}

export function encodeAuthenticate(username: string, password: string): Buffer {
  return new ByteWriter().bytes(1, username).bytes(2, password).finish();
}
