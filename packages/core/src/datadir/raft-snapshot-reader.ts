import { readFileSync, statSync } from 'node:fs';
import { crc32c } from '../base/crc32c.ts';
import { EtcdOpsError } from '../base/errors.ts';
import { ProtoError, ProtoMessage, readProto } from './proto-reader.ts';

/** etcd's own v2 data may be in a snapshot; no cluster that was kept alive has this much of it. */
const RAFT_SNAPSHOT_BYTES_MAX = 256 * 1024 * 1024;
const MEMBER_PATH = /^([0-9a-f]{1,16})$/;

export interface RaftSnapshot {
  index: number;
  term: number;
  /** Ids of the voting members. */
  voters: bigint[];
  /** Members that the v2 store names: what etcd up to 3.5 boots with. */
  members: { id: bigint; peerUrls: string[] }[];
}

/** @throws EtcdOpsError RAFT_SNAPSHOT_DAMAGED naming the rule that is broken. */
export function readRaftSnapshot(path: string): RaftSnapshot {
  const bytes = statSync(path).size;
  if (bytes > RAFT_SNAPSHOT_BYTES_MAX) throw damaged(path, `${bytes} bytes are more than ${RAFT_SNAPSHOT_BYTES_MAX}`);
  return decodeRaftSnapshot(readFileSync(path), path);
}

/** As readRaftSnapshot, over bytes at hand. */
export function decodeRaftSnapshot(bytes: Buffer, name = 'raft snapshot'): RaftSnapshot {
  try {
    const file = new ProtoMessage(bytes, [1, 2]);
    const body = file.bytes(2);
    const crc = crc32c(body) >>> 0;
    if (file.varint(1) !== BigInt(crc)) {
      throw new ProtoError(`the CRC is 0x${file.varint(1).toString(16)}, the bytes make 0x${crc.toString(16)}`);
    }
    const snapshot = new ProtoMessage(body, [1, 2]);
    const metadata = new ProtoMessage(snapshot.bytes(2), [1, 2, 3]);
    return {
      index: metadata.number(2),
      term: metadata.number(3),
      voters: readVoters(metadata.bytes(1)),
      members: readMembers(snapshot.bytes(1)),
    };
  } catch (error) {
    if (!(error instanceof ProtoError || error instanceof SyntaxError)) throw error;
    throw damaged(name, error.message, error);
  }
}

function readVoters(confState: Buffer): bigint[] {
  const voters: bigint[] = [];
  for (const { field, value } of readProto(confState)) {
    if (field !== 1) continue;
    if (typeof value !== 'bigint') throw new ProtoError('a voter is no number');
    voters.push(value);
  }
  return voters;
}

/** Follows Root > "0" > "members" in the JSON. Its numbers are small and its ids are names, so JSON.parse loses nothing. */
function readMembers(json: Buffer): RaftSnapshot['members'] {
  const directory = child(
    child(child(JSON.parse(json.toString('utf8')), 'Root'), 'Children', '0'),
    'Children',
    'members',
  );
  const members: RaftSnapshot['members'] = [];
  for (const [name, node] of Object.entries(asObject(child(directory, 'Children')))) {
    if (!MEMBER_PATH.test(name)) throw new ProtoError(`'${name}' is no member id`);
    const attributes: unknown = JSON.parse(String(child(child(node, 'Children', 'raftAttributes'), 'Value')));
    const peerUrls = child(attributes, 'peerURLs');
    if (!Array.isArray(peerUrls)) throw new ProtoError(`the member ${name} has no peer URLs`);
    members.push({ id: BigInt(`0x${name}`), peerUrls: peerUrls.map(String) });
  }
  return members.sort((left, right) => (left.id < right.id ? -1 : 1));
}

function child(value: unknown, ...path: string[]): unknown {
  let current = value;
  for (const name of path) {
    const object = asObject(current);
    if (!Object.hasOwn(object, name)) throw new ProtoError(`the v2 store lacks '${name}'`);
    current = object[name];
  }
  return current;
}

function asObject(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) throw new ProtoError('the v2 store has not the shape of one');
  return value as Record<string, unknown>;
}

function damaged(name: string, rule: string, cause?: unknown): EtcdOpsError {
  return new EtcdOpsError('RAFT_SNAPSHOT_DAMAGED', { message: `${name}: ${rule}`, cause });
}
