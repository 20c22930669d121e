import type { InspectedRaftSnapshot, InspectedStore, InspectedWal } from '@etcd-ops/core';
import { hex } from './inspection.ts';

export function storeFacts({ info, rows, pages, hash, ...store }: InspectedStore): Record<string, unknown> {
  return {
    revision: info.revision,
    compactRevision: info.compactRevision,
    firstRevision: rows.firstRevision,
    // etcd goes on with it when it starts.
    unfinishedCompaction: info.scheduledCompact > info.finishedCompact ? info.scheduledCompact : undefined,
    rows: rows.count,
    tombstones: rows.tombstones,
    rowBytes: rows.bytes,
    leases: store.leases,
    hashKv: hash,
    lastRevisionDigest: info.lastRevisionDigest ?? undefined,
    storageVersion: info.storageVersion,
    clusterVersion: info.clusterVersion,
    consistentIndex: Number(info.consistentIndex),
    term: info.term === undefined ? undefined : Number(info.term),
    members: store.members,
    authEnabled: info.authEnabled,
    authRevision: Number(info.authRevision),
    alarms: info.alarms.map(({ memberId, alarm }) => ({ memberId: hex(memberId), alarm })),
    databaseBytes: store.databaseBytes,
    pageSize: store.pageSize,
    pages: pages.pages,
    freePages: pages.freePages,
  };
}

export function storeWarnings({ info, pages }: InspectedStore): string[] {
  return [
    ...(pages.validMetaPages < 2 ? ['One of the two meta pages is not valid: a commit was torn. etcd opens it.'] : []),
    ...info.alarms.map(
      ({ memberId, alarm }) =>
        `It holds the alarm ${alarm} of member ${hex(memberId)}; \`restore --clear-alarms\` leaves alarms away.`,
    ),
  ];
}

export function walFacts(wal: InspectedWal): Record<string, unknown> {
  return {
    memberId: hex(wal.memberId),
    clusterId: hex(wal.clusterId),
    segments: wal.segments,
    entries: wal.entries,
    firstIndex: wal.entriesFrom,
    lastIndex: wal.lastIndex,
    term: wal.hardState?.term,
    commit: wal.hardState?.commit,
    configChanges: wal.configChanges,
    snapshots: wal.snapshots,
    v2Writes: wal.v2Writes,
    logBytes: wal.bytes,
  };
}

export function walWarnings({ torn, v2Writes }: InspectedWal): string[] {
  return [
    ...(torn === undefined
      ? []
      : [
          `${torn.path}: the last record, at byte ${torn.offset}, was not written whole (${torn.rule}); etcd cuts it off.`,
        ]),
    ...(v2Writes === 0
      ? []
      : [
          `The log holds ${counted(v2Writes, 'write')} of the v2 API: no v3 backup carries that data; export it with a v2 tool.`,
        ]),
  ];
}

export function snapFacts({ index, term, members, voters, v2 }: InspectedRaftSnapshot): Record<string, unknown> {
  return {
    index,
    term,
    members: members.map(({ id, peerUrls }) => ({ id: hex(id), peerUrls })),
    voters: voters.map(hex),
    v2Keys: v2.keys,
    v2Examples: v2.examples.length === 0 ? undefined : v2.examples,
  };
}

export function snapWarnings({ v2 }: InspectedRaftSnapshot): string[] {
  if (v2.keys === 0) return [];
  const examples = `${v2.examples.join(', ')}${v2.keys > v2.examples.length ? ', ...' : ''}`;
  return [
    `The v2 store holds ${counted(v2.keys, 'key')} of users (${examples}): no v3 backup carries that data; export it with a v2 tool.`,
  ];
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
