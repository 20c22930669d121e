import { APPLY, APPLY_CHECKED, CLUSTER_CHANGED, CLUSTER_LIST, CLUSTER_SHOWN, REBUILT } from './fleet-fields.ts';
import { CHECKED } from './check-fields.ts';
import { EXPORT_PLAN, EXPORTED, IMPORT_PLAN, IMPORTED } from './layout-fields.ts';
import { COPIED } from './copy-fields.ts';
import { INSPECT } from './inspect-fields.ts';
import { GC_APPLIED, GC_PLAN, LISTED_PINS, PINNED, UNPINNED } from './retention-fields.ts';
import { LISTED_PROOFS, MERGED, VERIFIED } from './verify-fields.ts';
import { BEFORE_DELETE, PLAN, RESTORED, SAFE_BUMP } from './restore-fields.ts';

/** One JSON document that a command may print, field by field: `timelines[].fulls[].key`, `phaseMs.*`. */
export interface JsonDocument {
  readonly title: string;
  readonly fields: Readonly<Record<string, string>>;
}

const LIST = {
  layout:
    'whose form it has: `native`, `seed` (the older etcd-ops) or `gardener`; of the latter two, names are all that is told',
  cluster: 'the repository',
  'restorable[].timeline': 'a range of restorable revisions: its timeline',
  'restorable[].from': 'its first revision',
  'restorable[].to': 'its last revision',
  'restorable[].fromTime': 'when the first was captured',
  'restorable[].toTime': 'when the cluster was last seen in it',
  'gaps[].timeline': 'revisions that cannot be restored: their timeline',
  'gaps[].after': 'the restorable revision before the gap',
  'gaps[].before': 'the restorable revision behind the gap, if one follows',
  'gaps[].capturedTo': 'the highest revision known inside of the gap',
  'timelines[].timeline': 'number of a timeline',
  'timelines[].cause': '`first`, or `fork` when the cluster did not go on from what was captured',
  'timelines[].startedAtRevision': 'where it began',
  'timelines[].fulls[].key': 'key of a full; `restore --snapshot` takes it',
  'timelines[].fulls[].revision': 'its revision',
  'timelines[].fulls[].compactRevision': 'compacted up to this revision; it restores every one from here to its own',
  'timelines[].fulls[].bytes': 'stored bytes',
  'timelines[].fulls[].createdAt': 'when it was begun, or made',
  'timelines[].fulls[].seenAt':
    'when the cluster was last seen in that state or an earlier one: of a compacted full, by the newest of what it was made of',
  'timelines[].fulls[].cause':
    'why it was taken; `compact` and `import`: made of other backups, so that it proves nothing',
  'timelines[].fulls[].etcdVersion': 'of the etcd that gave it',
  'timelines[].fulls[].codec': '`none`, `gzip`, `zlib` or `zstd`',
  'timelines[].fulls[].superseded': 'true when a later full holds every revision of it as well',
  'timelines[].fulls[].stale':
    'true for a full of a member without a quorum: it may lack what the cluster acknowledged',
  'timelines[].deltas[].key': 'key of a delta',
  'timelines[].deltas[].first': 'its first revision',
  'timelines[].deltas[].last': 'its last revision',
  'timelines[].deltas[].lastObserved': 'when the last was captured',
  'timelines[].deltas[].bytes': 'stored bytes',
  'foreign[]': 'files in the folder that are of somebody else; never read, never removed',
  'incomplete[].key': 'an object whose other half is missing',
  'incomplete[].missing': 'what is missing of it',
  'damaged[].key': 'an object that cannot be read',
  'damaged[].reason': 'why',
  ...LISTED_PINS,
  ...LISTED_PROOFS,
};

const STATUS = {
  'daemon.running': 'whether a daemon, or a fleet, has answered; if not, only `clusters[].repository` is there',
  'daemon.stateDir': 'the state directory that was looked at; not with --nats',
  'clusters[].cluster': 'a cluster that the daemon backs up',
  'clusters[].owner.version': 'always 1',
  'clusters[].owner.watcher': 'the process that captures it',
  'clusters[].owner.since': 'since when',
  'clusters[].owner.capture.at': 'when it said what follows',
  'clusters[].owner.capture.watching': 'whether changes are captured now',
  'clusters[].owner.capture.waitsFor': 'if not: what is waited for',
  'clusters[].owner.capture.timeline': 'the timeline captured',
  'clusters[].owner.capture.revision': 'the last captured revision: it is in NATS, or in the repository already',
  'clusters[].owner.capture.headRevision': 'the newest revision that etcd named',
  'clusters[].owner.capture.ttlsAsked': 'TTLs of leases that etcd is being asked for; absent: none',
  'clusters[].owner.capture.ttlsWaiting':
    'TTLs of leases that wait in NATS to become durable, as far as the watcher knew; absent: none',
  'clusters[].owner.capture.lagMs': 'for how long the oldest revision that lacks has been known',
  'clusters[].owner.capture.failure.*':
    'why the last session ended that did not end well: `code`, `message`, `remedy`, `at`',
  'clusters[].lag.revisions': 'revisions between that of etcd and the captured one',
  'clusters[].lag.seconds': 'for how long the oldest of them has been known',
  'clusters[].position.version': 'always 1',
  'clusters[].position.timeline': 'the timeline written to',
  'clusters[].position.revision': 'the last revision that is in the repository',
  'clusters[].position.digest': 'digest of its rows, or null',
  'clusters[].position.sequence': 'the last message of the event stream that is in the repository',
  'clusters[].position.deltaKey': 'the newest delta',
  'clusters[].position.updatedAt': 'when it was stored',
  'clusters[].backlog.messages': 'messages in NATS that are not in the repository yet',
  'clusters[].events.messages': 'messages in the event stream; the last one stays when it is stored',
  'clusters[].events.bytes': 'their bytes',
  'clusters[].events.lastSequence': 'the newest message',
  'clusters[].last.*.version': 'always 1',
  'clusters[].last.*.taskId': 'the last task of a kind (`full`, `delta`, `gc`, `defrag`, ...)',
  'clusters[].last.*.tick': 'the time that it was scheduled for',
  'clusters[].last.*.finishedAt': 'when it ended',
  'clusters[].last.*.ok': 'whether it did what it should',
  'clusters[].last.*.summary.*': 'what it did; differs by kind',
  'clusters[].destinations[].name': 'of a further store that is copied into',
  'clusters[].destinations[].store': 'where that is',
  'clusters[].destinations[].last.version': 'always 1',
  'clusters[].destinations[].last.taskId': 'its last copy',
  'clusters[].destinations[].last.tick':
    'the time that its last good copy was scheduled for: what was stored before it is there',
  'clusters[].destinations[].last.finishedAt': 'when its last copy ended',
  'clusters[].destinations[].last.ok': 'whether that brought all there',
  'clusters[].destinations[].last.summary.*': 'what it copied and what its retention removed',
  'clusters[].destinations[].behindMs': 'from that tick to the newest object in the store of the cluster',
  'clusters[].schedules.timezone': 'of the schedules',
  'clusters[].schedules.full': 'when fulls are taken',
  'clusters[].schedules.deltaPeriodMs': 'how often waiting changes become a delta; 0: never',
  'clusters[].schedules.gcPeriodMs': 'how often old backups are removed',
  'clusters[].schedules.defrag': 'when members are defragmented',
  'clusters[].next.full': 'when the next full is due',
  'clusters[].next.delta': 'when waiting changes become a delta, if there are any',
  'clusters[].next.gc': 'when old backups are looked for',
  'clusters[].next.defrag': 'when members are defragmented',
  'clusters[].failures[].of': 'something that went wrong and stands: `capture`, or a kind of task; the newest first',
  'clusters[].failures[].at': 'when',
  'clusters[].failures[].code': 'its code, as in OPERATIONS.md',
  'clusters[].failures[].message': 'what happened',
  'clusters[].failures[].remedy': 'what to do',
  'clusters[].failures[].attempts': 'attempts so far',
  'clusters[].repository.store': 'where the repository lies; only of the cluster of --cluster-name',
  'clusters[].repository.restorable.timeline': 'the newest range of restorable revisions: its timeline',
  'clusters[].repository.restorable.from': 'its first revision',
  'clusters[].repository.restorable.to': 'its last revision',
  'clusters[].repository.restorable.toTime': 'when that was captured',
  'clusters[].repository.fulls': 'how many',
  'clusters[].repository.deltas': 'how many',
  'clusters[].repository.bytes': 'bytes of both',
  'clusters[].repository.newestFull.key': 'the newest full',
  'clusters[].repository.newestFull.timeline': 'its timeline',
  'clusters[].repository.newestFull.revision': 'its revision',
  'clusters[].repository.newestFull.bytes': 'stored bytes',
  'clusters[].repository.newestFull.time': 'when it was begun',
  'clusters[].repository.newestDelta.key': 'the newest delta',
  'clusters[].repository.newestDelta.timeline': 'its timeline',
  'clusters[].repository.newestDelta.revision': 'its last revision',
  'clusters[].repository.newestDelta.bytes': 'stored bytes',
  'clusters[].repository.newestDelta.time': 'when its last revision was captured',
  'clusters[].repository.proven.timeline':
    'the newest chain that was restored in scratch space and compared: its timeline',
  'clusters[].repository.proven.from': 'its first revision',
  'clusters[].repository.proven.to': 'up to where the cluster vouched for it',
  'clusters[].repository.proven.provedAt': 'when',
  'clusters[].repository.restoreMs': 'what the newest such restore took',
  'clusters[].repository.failedProofs[].full': 'a full whose newest proof failed',
  'clusters[].repository.failedProofs[].provedAt': 'when',
  'clusters[].repository.failedProofs[].problem': 'what is wrong',
  'clusters[].repository.gaps': 'how many gaps',
  'clusters[].repository.incomplete': 'how many objects lack their other half',
  'clusters[].repository.damaged': 'how many objects cannot be read',
  'clusters[].repositoryError.*': 'why the repository cannot be read: `code`, `message`',
};

const DEMO = {
  etcdVersion: 'the etcd that was used',
  seed: 'seed of the load',
  'load.requests': 'requests made of etcd',
  'load.events': 'puts and deletions among them',
  'load.bytes': 'bytes of values',
  'load.leases': 'leases granted',
  'load.revision': 'the highest revision that etcd named',
  'lag.medianMs': 'from the answer of etcd to the event in the stream, median',
  'lag.maxMs': 'the worst',
  'lag.samples': 'of so many',
  'store.fulls': 'fulls in the repository',
  'store.deltas': 'deltas',
  'store.bytes': 'bytes of both',
  'store.rows': 'rows in the deltas',
  'restores[].title': 'which moment was restored',
  'restores[].revision': 'its revision',
  'restores[].restoreMs': 'milliseconds that it took',
  'restores[].keys': 'keys then',
  'restores[].leases': 'leases then',
  'restores[].endedLeases': 'leases that had ended meanwhile',
  'restores[].hash': 'HashKV of the restored etcd',
  'restores[].equal': 'whether it equals what the living cluster had said',
  'restores[].differences[]': 'what differs',
  'restores[].dataDir': 'where it was restored to',
  'fork.title': 'the restored cluster goes on in the place of the lost one',
  'fork.timelines[]': 'timelines in the repository then',
  'fork.revision': 'the revision restored from the second',
  'fork.equal': 'whether it equals the living cluster',
  'fork.differences[]': 'what differs',
  equal: 'whether everything was equal',
  totalMs: 'milliseconds of the whole demo',
};

/** By command. What a command prints and this table are held against each other by a test. */
export const JSON_FIELDS: Readonly<Record<string, readonly JsonDocument[]>> = {
  demo: [{ title: '`-o json`', fields: DEMO }],
  restore: [
    {
      title: '`-o json`',
      fields: {
        ...RESTORED,
        'leases.dropped': 'with --leases drop: leases that were left away, and all other counts are 0',
        ...BEFORE_DELETE,
        ...SAFE_BUMP,
        'startFiles[].name': 'a member for which --start-files wrote files',
        'startFiles[].directory': 'where they are',
        'startFiles[].files[]': 'the files',
      },
    },
    { title: '`--plan -o json`', fields: PLAN },
  ],
  apply: [
    { title: '`-o json`', fields: APPLY },
    { title: '`--check -o json`', fields: APPLY_CHECKED },
  ],
  cluster: [
    { title: '`cluster add|edit|remove -o json`', fields: CLUSTER_CHANGED },
    { title: '`cluster list -o json`', fields: CLUSTER_LIST },
    { title: '`cluster show -o json`', fields: CLUSTER_SHOWN },
  ],
  fleet: [{ title: '`fleet rebuild -o json`', fields: REBUILT }],
  list: [{ title: '`-o json`', fields: LIST }],
  snapshot: [
    {
      title: '`--once -o json`',
      fields: {
        cluster: 'the repository',
        'full.*':
          'the full that was stored: `key`, `timeline`, `revision`, `compactRevision`, `bytes`, `plainBytes`, ...',
      },
    },
  ],
  info: [
    {
      title: '`-o json` of a repository',
      fields: {
        kind: '`repository`',
        layout: '`native`, `seed` or `gardener`',
        cluster: 'its name',
        store: 'the store that it lies in',
        clusterId: 'id of the etcd cluster that gave the newest full',
        etcdVersion: 'and its version',
        timelines: 'how many',
        fulls: 'how many',
        fullBytes: 'their bytes',
        deltas: 'how many',
        deltaBytes: 'their bytes',
        headRevision: 'the newest restorable revision',
        newestTime: 'when it was captured',
        newestFull: 'key of the newest full',
        incomplete: 'how many objects lack their other half',
        damaged: 'how many objects cannot be read',
        foreign: 'how many files are of somebody else',
      },
    },
    {
      title: '`-o json` of an object',
      fields: {
        kind: '`full` or `delta`',
        key: 'its key',
        '*': 'its manifest, or the facts in its footer (of an encrypted delta without a key: what it says in clear); see FORMAT.md',
      },
    },
  ],
  inspect: INSPECT,
  hash: [
    {
      title: '`-o json`',
      fields: {
        path: 'the database file',
        hash: 'HashKV',
        revision: 'at this revision',
        compactRevision: 'compacted up to this one; -1: never',
      },
    },
  ],
  status: [{ title: '`-o json`', fields: STATUS }],
  gc: [
    { title: '`gc plan -o json`', fields: GC_PLAN },
    { title: '`gc apply -o json`', fields: GC_APPLIED },
  ],
  verify: [{ title: '`-o json`', fields: VERIFIED }],
  check: [{ title: '`-o json`', fields: CHECKED }],
  merge: [{ title: '`-o json`', fields: MERGED }],
  copy: [{ title: '`-o json`', fields: COPIED }],
  import: [
    { title: '`-o json`', fields: IMPORTED },
    { title: '`--dry-run -o json`', fields: IMPORT_PLAN },
  ],
  export: [
    { title: '`-o json`', fields: EXPORTED },
    { title: '`--dry-run -o json`', fields: EXPORT_PLAN },
  ],
  pin: [{ title: '`-o json`', fields: PINNED }],
  unpin: [{ title: '`-o json`', fields: UNPINNED }],
  compact: [
    {
      title: '`-o json`',
      fields: {
        key: 'key of the new full',
        timeline: 'its timeline',
        revision: 'its revision',
        compactRevision: 'the revision that it is compacted at',
        storedBytes: 'bytes in the store',
        plainBytes: 'bytes of the database',
        base: 'key of the full that it was made of',
        deltas: 'deltas that it was made of',
        rowsKept: 'rows in it',
        rowsDropped: 'rows of older revisions that were left away',
        bytesBefore: 'bytes of the database before',
        durationMs: 'milliseconds that it took',
      },
    },
  ],
  ensure: [
    {
      title: '`-o json`',
      fields: {
        action: '`left`: it is sound; `restored`; `new`: no data and no backup',
        dataDir: 'the data directory',
        'found.*': 'what was found there; `found.kind` is `healthy`, `broken`, `missing`, ...',
        reason: 'why it was restored',
        'movedTo[]': 'where the broken one is now',
        ...Object.fromEntries(Object.entries(RESTORED).map(([path, meaning]) => [`restored.${path}`, meaning])),
        'warnings[]': 'what should be known',
      },
    },
  ],
  version: [
    {
      title: '`-o json`',
      fields: { version: 'of etcd-ops', node: 'of Node', platform: 'system and processor' },
    },
  ],
};

/** The path of every value in a document, as the tables write it; `parents` are paths whose keys are of their own. */
export function jsonPaths(document: unknown, parents: ReadonlySet<string>, path = ''): string[] {
  if (Array.isArray(document)) {
    return [...new Set(document.flatMap((item: unknown) => jsonPaths(item, parents, `${path}[]`)))];
  }
  if (typeof document !== 'object' || document === null) return [path];
  return [
    ...new Set(
      Object.entries(document).flatMap(([key, value]) => {
        const name = parents.has(path) ? '*' : key;
        return jsonPaths(value, parents, path === '' ? name : `${path}.${name}`);
      }),
    ),
  ];
}

/** Paths that a command prints and no table describes. */
export function undescribedPaths(command: string, document: unknown): string[] {
  const described = new Set((JSON_FIELDS[command] ?? []).flatMap(({ fields }) => Object.keys(fields)));
  const parents = new Set(
    [...described].flatMap((path) => [...path.matchAll(/\.\*/g)].map((match) => path.slice(0, match.index))),
  );
  // Below `summary.*` anything may lie.
  const open = [...described].filter((path) => path.endsWith('.*')).map((path) => path.slice(0, -1));
  return jsonPaths(document, parents).filter(
    (path) => !described.has(path) && !open.some((start) => path.startsWith(start)),
  );
}
