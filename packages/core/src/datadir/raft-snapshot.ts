import { crc32c } from '../base/crc32c.ts';
import { goJsonString, goJsonStrings } from './go-json.ts';
import { memberIdHex, type Member, type Membership } from './membership.ts';
import { ProtoWriter } from './proto-writer.ts';

/** Slots of the event history that etcd's v2 store keeps and writes, empty ones as `null`. */
const EVENT_SLOTS = 1000;
const NO_EXPIRY = '"ExpireTime":"0001-01-01T00:00:00Z"';
const STATISTICS = [
  'getsSuccess',
  'getsFail',
  'setsSuccess',
  'setsFail',
  'deleteSuccess',
  'deleteFail',
  'updateSuccess',
  'updateFail',
  'createSuccess',
  'createFail',
  'compareAndSwapSuccess',
  'compareAndSwapFail',
  'compareAndDeleteSuccess',
  'compareAndDeleteFail',
  'expireCount',
  'watchers',
];

/** The file name of a raft snapshot: term and index, 16 hex digits each. */
export function raftSnapshotName(term: number, index: number): string {
  return `${term.toString(16).padStart(16, '0')}-${index.toString(16).padStart(16, '0')}.snap`;
}

/**
 * A raft snapshot file: {1: CRC-32C of field 2, 2: raftpb.Snapshot {1: v2 store as JSON, 2: {1: voters, 2: index, 3: term}}}
 * (etcd server/etcdserver/api/snap, raft/raftpb). etcd up to 3.5 takes its membership from that JSON.
 */
export function encodeRaftSnapshot(membership: Membership, position: { index: number; term: number }): Buffer {
  const metadata = new ProtoWriter()
    .bytes(1, encodeConfState(membership))
    .varint(2, position.index)
    .varint(3, position.term)
    .finish();
  const snapshot = new ProtoWriter()
    .bytes(1, Buffer.from(v2StoreJson(membership.members)))
    .bytes(2, metadata)
    .finish();
  return new ProtoWriter()
    .varint(1, crc32c(snapshot) >>> 0)
    .bytes(2, snapshot)
    .finish();
}

/** raftpb.ConfState {1: voter, one field each; 5: auto_leave = false}. */
export function encodeConfState(membership: Membership): Buffer {
  const confState = new ProtoWriter();
  for (const member of membership.members) confState.varint(1, member.id);
  return confState.varint(5, 0).finish();
}

/** The v2 store after the members were added to it one by one in the order of their ids (etcd server/etcdserver/api/v2store). */
function v2StoreJson(members: readonly Member[]): string {
  const count = members.length;
  const memberNodes: Record<string, string> = {};
  const events: string[] = [];
  members.forEach((member, position) => {
    const path = `/0/members/${memberIdHex(member.id)}`;
    const attributes = goJsonString(`{"peerURLs":${goJsonStrings(member.peerUrls)}}`);
    const index = position + 1;
    const leaf = node(`${path}/raftAttributes`, index, attributes, 'null');
    memberNodes[memberIdHex(member.id)] = node(path, index, '""', children({ raftAttributes: leaf }));
    const event = `"key":${goJsonString(`${path}/raftAttributes`)},"value":${attributes},"modifiedIndex":${index},"createdIndex":${index}`;
    events.push(`{"action":"create","node":{${event}}}`);
  });
  const membersNode = node('/0/members', 1, '""', children(memberNodes));
  const top = { '0': node('/0', 0, '""', children({ members: membersNode })), '1': node('/1', 0, '""', children({})) };
  const slots = [...events, ...new Array<string>(Math.max(0, EVENT_SLOTS - count)).fill('null')];
  const queue = `{"Events":[${slots.join(',')}],"Size":${count},"Front":0,"Back":${count % EVENT_SLOTS},"Capacity":${EVENT_SLOTS}}`;
  const watcherHub = `{"EventHistory":{"Queue":${queue},"StartIndex":1,"LastIndex":${count}}}`;
  const statistics = STATISTICS.map((name) => `"${name}":${name === 'createSuccess' ? count : 0}`).join(',');
  return `{"Root":${node('/', 0, '""', children(top))},"WatcherHub":${watcherHub},"CurrentIndex":${count},"Stats":{${statistics}},"CurrentVersion":2}`;
}

function node(path: string, index: number, valueJson: string, childrenJson: string): string {
  return `{"Path":${goJsonString(path)},"CreatedIndex":${index},"ModifiedIndex":${index},${NO_EXPIRY},"Value":${valueJson},"Children":${childrenJson}}`;
}

/** Go writes the entries of a map in the order of their names, which for ids of unequal length is not the order of the ids. */
function children(byName: Record<string, string>): string {
  const names = Object.keys(byName).sort();
  return `{${names.map((name) => `${goJsonString(name)}:${byName[name]!}`).join(',')}}`;
}
