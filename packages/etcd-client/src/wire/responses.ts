import { ByteReader } from './byte-reader.ts';

/** Field numbers are those of etcd's api/etcdserverpb/rpc.proto. Unknown fields are passed over. */

export interface ResponseHeader {
  clusterId: bigint;
  memberId: bigint;
  /** The store's revision when etcd answered; 0 in some answers that carry none. */
  revision: number;
  raftTerm: bigint;
}

const NO_HEADER: ResponseHeader = { clusterId: 0n, memberId: 0n, revision: 0, raftTerm: 0n };

type FieldVisitor = (field: number, reader: ByteReader, tag: number) => void;

/** Calls `visit` for each field; it must consume the field's value (`reader.skip(tag)` for what it does not know). */
function forEachField(bytes: Buffer, visit: FieldVisitor): void {
  const reader = new ByteReader(bytes);
  while (!reader.done) {
    const tag = reader.tag();
    visit(tag >>> 3, reader, tag);
  }
}

export function decodeHeader(bytes: Buffer): ResponseHeader {
  const header = { ...NO_HEADER };
  forEachField(bytes, (field, reader, tag) => {
    if (field === 1) header.clusterId = reader.uint64();
    else if (field === 2) header.memberId = reader.uint64();
    else if (field === 3) header.revision = reader.signedNumber();
    else if (field === 4) header.raftTerm = reader.uint64();
    else reader.skip(tag);
  });
  return header;
}

/** The header of any response: field 1 in all of them. */
export function decodeResponseHeader(bytes: Buffer): ResponseHeader {
  let header = NO_HEADER;
  forEachField(bytes, (field, reader, tag) => {
    if (field === 1) header = decodeHeader(reader.view());
    else reader.skip(tag);
  });
  return header;
}

export interface StatusAnswer {
  header: ResponseHeader;
  version: string;
  dbBytes: number;
  dbInUseBytes: number;
  leaderId: bigint;
  raftIndex: bigint;
  raftAppliedIndex: bigint;
  raftTerm: bigint;
  isLearner: boolean;
  errors: string[];
}

export function decodeStatus(bytes: Buffer): StatusAnswer {
  const answer: StatusAnswer = {
    header: NO_HEADER,
    version: '',
    dbBytes: 0,
    dbInUseBytes: 0,
    leaderId: 0n,
    raftIndex: 0n,
    raftAppliedIndex: 0n,
    raftTerm: 0n,
    isLearner: false,
    errors: [],
  };
  forEachField(bytes, (field, reader, tag) => {
    switch (field) {
      case 1:
        answer.header = decodeHeader(reader.view());
        break;
      case 2:
        answer.version = reader.text();
        break;
      case 3:
        answer.dbBytes = reader.number();
        break;
      case 4:
        answer.leaderId = reader.uint64();
        break;
      case 5:
        answer.raftIndex = reader.uint64();
        break;
      case 6:
        answer.raftTerm = reader.uint64();
        break;
      case 7:
        answer.raftAppliedIndex = reader.uint64();
        break;
      case 8:
        answer.errors.push(reader.text());
        break;
      case 9:
        answer.dbInUseBytes = reader.number();
        break;
      case 10:
        answer.isLearner = reader.boolean();
        break;
      default:
        reader.skip(tag);
    }
  });
  return answer;
}

export interface HashKvAnswer {
  header: ResponseHeader;
  hash: number;
  /** -1: never compacted. */
  compactRevision: number;
  /** etcd 3.6 and newer; 0 before. */
  hashRevision: number;
}

export function decodeHashKv(bytes: Buffer): HashKvAnswer {
  const answer: HashKvAnswer = { header: NO_HEADER, hash: 0, compactRevision: 0, hashRevision: 0 };
  forEachField(bytes, (field, reader, tag) => {
    if (field === 1) answer.header = decodeHeader(reader.view());
    else if (field === 2) answer.hash = reader.number();
    else if (field === 3) answer.compactRevision = reader.signedNumber();
    else if (field === 4) answer.hashRevision = reader.signedNumber();
    else reader.skip(tag);
  });
  return answer;
}

export interface LeaseTimeToLiveAnswer {
  header: ResponseHeader;
  id: bigint;
  /** -1: the lease does not exist. */
  ttlSeconds: number;
  grantedTtlSeconds: number;
}

export function decodeLeaseTimeToLive(bytes: Buffer): LeaseTimeToLiveAnswer {
  const answer: LeaseTimeToLiveAnswer = { header: NO_HEADER, id: 0n, ttlSeconds: 0, grantedTtlSeconds: 0 };
  forEachField(bytes, (field, reader, tag) => {
    if (field === 1) answer.header = decodeHeader(reader.view());
    else if (field === 2) answer.id = reader.int64();
    else if (field === 3) answer.ttlSeconds = reader.signedNumber();
    else if (field === 4) answer.grantedTtlSeconds = reader.signedNumber();
    else reader.skip(tag);
  });
  return answer;
}

export function decodeLeases(bytes: Buffer): bigint[] {
  const leases: bigint[] = [];
  forEachField(bytes, (field, reader, tag) => {
    if (field !== 2) return reader.skip(tag);
    let id = 0n;
    forEachField(reader.view(), (inner, status, innerTag) => {
      if (inner === 1) id = status.int64();
      else status.skip(innerTag);
    });
    leases.push(id);
  });
  return leases;
}

export interface MemberInfo {
  id: bigint;
  /** Empty while the member has not been started yet. */
  name: string;
  peerUrls: string[];
  clientUrls: string[];
  isLearner: boolean;
}

export function decodeMemberList(bytes: Buffer): MemberInfo[] {
  const members: MemberInfo[] = [];
  forEachField(bytes, (field, reader, tag) => {
    if (field === 2) members.push(decodeMember(reader.view()));
    else reader.skip(tag);
  });
  return members;
}

function decodeMember(bytes: Buffer): MemberInfo {
  const member: MemberInfo = { id: 0n, name: '', peerUrls: [], clientUrls: [], isLearner: false };
  forEachField(bytes, (field, reader, tag) => {
    if (field === 1) member.id = reader.uint64();
    else if (field === 2) member.name = reader.text();
    else if (field === 3) member.peerUrls.push(reader.text());
    else if (field === 4) member.clientUrls.push(reader.text());
    else if (field === 5) member.isLearner = reader.boolean();
    else reader.skip(tag);
  });
  return member;
}

const ALARM_KINDS = ['NONE', 'NOSPACE', 'CORRUPT'] as const;
export type AlarmKind = (typeof ALARM_KINDS)[number] | 'UNKNOWN';

export interface EtcdAlarm {
  memberId: bigint;
  kind: AlarmKind;
}

export function decodeAlarms(bytes: Buffer): EtcdAlarm[] {
  const alarms: EtcdAlarm[] = [];
  forEachField(bytes, (field, reader, tag) => {
    if (field !== 2) return reader.skip(tag);
    const alarm: EtcdAlarm = { memberId: 0n, kind: 'NONE' };
    forEachField(reader.view(), (inner, value, innerTag) => {
      if (inner === 1) alarm.memberId = value.uint64();
      else if (inner === 2) alarm.kind = ALARM_KINDS[value.number()] ?? 'UNKNOWN';
      else value.skip(innerTag);
    });
    alarms.push(alarm);
  });
  return alarms;
}

export function decodeToken(bytes: Buffer): string {
  let token = '';
  forEachField(bytes, (field, reader, tag) => {
    if (field === 2) token = reader.text();
    else reader.skip(tag);
  });
  return token;
}

export interface AuthStatusAnswer {
  enabled: boolean;
  authRevision: number;
}

export function decodeAuthStatus(bytes: Buffer): AuthStatusAnswer {
  const answer: AuthStatusAnswer = { enabled: false, authRevision: 0 };
  forEachField(bytes, (field, reader, tag) => {
    if (field === 2) answer.enabled = reader.boolean();
    else if (field === 3) answer.authRevision = reader.signedNumber();
    else reader.skip(tag);
  });
  return answer;
}
