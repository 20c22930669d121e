import { createHash } from 'node:crypto';
import { EtcdOpsError } from '../base/errors.ts';
import { goJsonString, goJsonStrings } from './go-json.ts';
import { checkMemberSpecs, type MemberSpec } from './initial-cluster.ts';

export interface Member {
  id: bigint;
  name: string;
  /** In ascending order. */
  peerUrls: string[];
}

/** The ids of a bootstrap cluster. */
export interface Membership {
  clusterId: bigint;
  /** By id, ascending: the order of every list that etcd writes. */
  members: Member[];
}

/**
 * The ids that etcd gives to a new cluster (etcd server/etcdserver/api/membership): a member's is the first 8 bytes of the
 * SHA-1 over its sorted peer URLs and the token; the cluster's the same over all member ids, sorted, 8 bytes each, big endian.
 *
 * @throws EtcdOpsError USAGE when the members are not possible.
 */
export function computeMembership(specs: readonly MemberSpec[], token: string): Membership {
  const members = checkMemberSpecs(specs).map((spec) => ({ id: sha1Prefix([...spec.peerUrls, token]), ...spec }));
  members.sort((left, right) => (left.id < right.id ? -1 : left.id > right.id ? 1 : 0));
  for (let index = 1; index < members.length; index++) {
    if (members[index]!.id === members[index - 1]!.id) {
      throw new EtcdOpsError('USAGE', {
        message: `The members '${members[index - 1]!.name}' and '${members[index]!.name}' have the same id`,
      });
    }
  }
  return { clusterId: sha1Prefix(members.map((member) => uint64(member.id))), members };
}

/** @throws EtcdOpsError USAGE when no member has that name. */
export function memberByName(membership: Membership, name: string): Member {
  const member = membership.members.find((candidate) => candidate.name === name);
  if (member === undefined) {
    const names = membership.members.map((candidate) => `'${candidate.name}'`).join(', ');
    throw new EtcdOpsError('USAGE', {
      message: `The member '${name}' is not in the initial cluster, which names ${names}`,
    });
  }
  return member;
}

/** A member id as etcd writes it in keys and paths: lower-case hex, not padded. */
export function memberIdHex(id: bigint): string {
  return id.toString(16);
}

/** The JSON of a member, as in the bucket `members` and in configuration changes. Ids are bare 64-bit numbers. */
export function memberJson(member: Member): string {
  return `{"id":${member.id},"peerURLs":${goJsonStrings(member.peerUrls)},"name":${goJsonString(member.name)}}`;
}

function sha1Prefix(parts: readonly (string | Buffer)[]): bigint {
  const hash = createHash('sha1');
  for (const part of parts) hash.update(part);
  return hash.digest().readBigUInt64BE(0);
}

function uint64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
}
