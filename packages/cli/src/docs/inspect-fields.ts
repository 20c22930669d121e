import type { JsonDocument } from './json-fields.ts';

const COMMON = {
  path: 'what was inspected',
  kind: '`full`, `delta`, `manifest`, `cluster record`, `timeline record`, `wal`, `raft snapshot` or `data directory`',
  sound: 'whether it is; if not, the exit code is not 0',
  bytes: 'size of a file',
  'warnings[]': 'what should be known, data of the v2 API among it',
  'damages[].code': 'the failure that makes it unsound',
  'damages[].message': 'what exactly is wrong',
};

const STORE = {
  revision: 'the newest revision',
  compactRevision: 'compacted up to this one; -1: never',
  firstRevision: 'of the first row that is there',
  unfinishedCompaction: 'a compaction that etcd goes on with when it starts',
  rows: 'rows, tombstones among them',
  tombstones: 'rows that are deletions',
  rowBytes: 'bytes of keys and values of the rows',
  leases: 'leases in it',
  'hashKv.hash': "etcd's own hash of the rows",
  'hashKv.revision': 'at this revision',
  'hashKv.compactRevision': 'compacted up to this one',
  lastRevisionDigest: 'digest of the rows of the newest revision',
  storageVersion: 'written by etcd 3.6 and newer',
  clusterVersion: 'the lowest version of all members',
  consistentIndex: 'the raft entry that was applied last',
  term: 'its term; etcd 3.5 and newer',
  'members[].id': 'a member of the cluster',
  'members[].name': 'its name',
  'members[].peerUrls[]': 'its peer URLs',
  authEnabled: 'whether users must log in',
  authRevision: 'revision of users and roles',
  'alarms[].memberId': 'a member with an alarm',
  'alarms[].alarm': '`NOSPACE` or `CORRUPT`',
  databaseBytes: 'size of the database, without a trailing hash',
  pageSize: 'bytes of a page',
  pages: 'pages in use or free',
  freePages: 'pages that a defragmentation would give back',
};

const WAL = {
  memberId: 'the member whose log it is',
  clusterId: 'its cluster',
  segments: 'files',
  entries: 'raft entries, those that a later leader wrote anew included',
  firstIndex: 'entries are there without a hole from this index on',
  lastIndex: 'the last entry',
  term: 'of the last hard state',
  commit: 'the entry up to which it is committed',
  configChanges: 'entries that change the membership',
  'snapshots[].index': 'a raft snapshot that the log knows',
  'snapshots[].term': 'its term',
  v2Writes: "entries that write users' keys by the v2 API",
  logBytes: 'size of the files',
};

const RAFT_SNAPSHOT = {
  index: 'the raft entry at which it was taken',
  term: 'its term',
  'members[].id': 'a member',
  'members[].peerUrls[]': 'its peer URLs',
  'voters[]': 'ids of the voting members',
  v2Keys: "users' keys in the v2 store, which no v3 backup carries",
  'v2Examples[]': 'some of them',
};

/** Of a file that is encrypted; told without a key. */
const ENCRYPTION = {
  'encryption.format': '`age`; absent for a file in clear',
  'encryption.recipients[]': 'fingerprints of the keys that open it: the first letters of each public key',
};

/** What `inspect -o json` prints differs by what it finds. */
export const INSPECT: readonly JsonDocument[] = [
  { title: '`-o json` of anything', fields: COMMON },
  {
    title: '`-o json` of a full',
    fields: {
      ...ENCRYPTION,
      codec: 'how it is compressed',
      trailingHash: '`right`: the SHA-256 that `snapshot save` appends fits; `absent`: a copied db',
      manifest: '`fits` when its manifest lies beside it, else `absent`',
      cluster: 'out of the manifest: the repository',
      timeline: 'the timeline',
      clusterId: 'id of the etcd cluster',
      memberId: 'the member that gave it',
      etcdVersion: 'and its version',
      createdAt: 'when it was begun',
      ...STORE,
    },
  },
  {
    title: '`-o json` of a delta',
    fields: {
      ...ENCRYPTION,
      codec: 'how its blocks are compressed',
      timeline: 'the timeline',
      firstRevision: 'its first revision',
      lastRevision: 'its last revision',
      rows: 'rows in it',
      rowBytes: 'their bytes before compression',
      rowBlocks: 'blocks of rows',
      leases: 'records of leases',
      firstObserved: 'when the first revision was captured',
      lastObserved: 'when the last one was',
      clusterId: 'id of the etcd cluster',
      epoch: 'of the writer',
      lastRevisionDigest: 'digest of the rows of the last revision',
      sha256: 'the SHA-256 at its end',
    },
  },
  {
    title: '`-o json` of a document of the repository',
    fields: {
      full: 'of a manifest: whether its full lies beside it: `present`, `absent`, `of another size`',
      '*': 'its fields; see FORMAT.md',
    },
  },
  { title: '`-o json` of a log', fields: WAL },
  { title: '`-o json` of a raft snapshot', fields: RAFT_SNAPSHOT },
  {
    title: '`-o json` of a data directory',
    fields: {
      memberId: 'the member',
      clusterId: 'its cluster',
      entriesAhead: 'entries of the log that the database does not have yet',
      ...STORE,
      ...prefixed('wal', WAL),
      ...prefixed('raftSnapshot', RAFT_SNAPSHOT),
    },
  },
];

function prefixed(name: string, fields: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).map(([path, meaning]) => [`${name}.${path}`, meaning]));
}
