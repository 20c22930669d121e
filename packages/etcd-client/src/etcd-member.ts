import { EtcdOpsError, isEtcdOpsError } from '@etcd-ops/core';
import type { EtcdAccess } from './access.ts';
import { EtcdConnection, REQUIRE_LEADER, type CallOptions, type RpcMethod } from './grpc/connection.ts';
import type { TlsFiles } from './grpc/tls-files.ts';
import { snapshotStream, type SnapshotOptions } from './snapshot-stream.ts';
import { SegmentedWatch, type SegmentedWatchOptions } from './watch-segments.ts';
import { Watch, type WatchOptions } from './watch.ts';
import {
  ALARM_LIST_REQUEST,
  EMPTY_REQUEST,
  encodeCompact,
  encodeHashKv,
  encodeLeaseTimeToLive,
  encodeMemberList,
  encodeMoveLeader,
  encodeRange,
  LOWEST_KEY,
} from './wire/requests.ts';
import {
  decodeAlarms,
  decodeAuthStatus,
  decodeHashKv,
  decodeLeases,
  decodeLeaseTimeToLive,
  decodeMemberList,
  decodeResponseHeader,
  decodeStatus,
  type AuthStatusAnswer,
  type EtcdAlarm,
  type MemberInfo,
  type ResponseHeader,
} from './wire/responses.ts';

/** HashKV and Defragment work through the whole database: minutes for a large one on a slow disk. */
export const LONG_REQUEST_TIMEOUT_MS = 10 * 60_000;

export interface MemberStatus {
  clusterId: bigint;
  memberId: bigint;
  version: string;
  dbBytes: number;
  dbInUseBytes: number;
  /** 0n: the member knows no leader. */
  leaderId: bigint;
  isLeader: boolean;
  isLearner: boolean;
  raftIndex: bigint;
  raftAppliedIndex: bigint;
  raftTerm: bigint;
  revision: number;
  /** What the member complains of: alarms, no leader. */
  errors: string[];
}

export interface HashKv {
  /** CRC-32C. */
  hash: number;
  /** Up to which rows were hashed. */
  revision: number;
  compactRevision: number;
  memberId: bigint;
}

export interface LeaseFacts {
  id: bigint;
  grantedTtlSeconds: number;
  /** -1: there is no such lease (any more). */
  ttlSeconds: number;
  /** The store's revision when etcd answered. */
  revision: number;
}

/** One member, spoken to directly. Calls throw EtcdOpsError with the endpoint in the message; nothing is retried here. */
export class EtcdMember implements Disposable {
  readonly endpoint: string;
  readonly #connection: EtcdConnection;
  #clusterId: bigint | undefined;
  #clusterKnownFrom = '';

  /** `files`: what the members of one cluster share. */
  constructor(endpoint: string, access: EtcdAccess, files?: TlsFiles) {
    this.endpoint = endpoint;
    this.#connection = new EtcdConnection(endpoint, access, files);
  }

  [Symbol.dispose](): void {
    this.#connection[Symbol.dispose]();
  }

  /** From now on an answer of another cluster (an endpoint that was reassigned) is ETCD_WRONG_CLUSTER. */
  expectCluster(clusterId: bigint, knownFrom = ''): void {
    this.#clusterId = clusterId;
    this.#clusterKnownFrom = knownFrom;
  }

  async status(options: CallOptions = {}): Promise<MemberStatus> {
    const { header, ...answer } = decodeStatus(await this.#call('Maintenance', 'Status', EMPTY_REQUEST, options));
    this.#checkCluster(header);
    return {
      clusterId: header.clusterId,
      memberId: header.memberId,
      revision: header.revision,
      isLeader: answer.leaderId !== 0n && answer.leaderId === header.memberId,
      ...answer,
    };
  }

  /** Asks the cluster through this member: it answers only when the member has applied all that was committed before. */
  async linearizableRead(options: CallOptions = {}): Promise<ResponseHeader> {
    const request = encodeRange({ key: LOWEST_KEY, countOnly: true });
    const answer = await this.#call('KV', 'Range', request, { ...options, ...REQUIRE_LEADER });
    return this.#header(answer);
  }

  /**
   * Whether the cluster still has the state at `revision`: `ok` proves that nothing up to `revision` - 1 alone is compacted. Linearizable,
   * so it holds for every member, also where the address of one is that of several and a watch ends at another one.
   */
  async readAt(revision: number, options: CallOptions = {}): Promise<'ok' | 'compacted'> {
    const request = encodeRange({ key: LOWEST_KEY, countOnly: true, revision });
    try {
      this.#header(await this.#call('KV', 'Range', request, { ...options, ...REQUIRE_LEADER }));
      return 'ok';
    } catch (error) {
      if (isEtcdOpsError(error, 'ETCD_COMPACTED')) return 'compacted';
      throw error;
    }
  }

  /** The database file and its trailing SHA-256, in blocks of any size: see `snapshotStream`. */
  snapshot(options: SnapshotOptions = {}): AsyncIterable<Buffer> {
    return snapshotStream(this.#connection, options);
  }

  /**
   * etcd's hash of the rows up to `revision` (0 = now). It blocks this member's reads and writes while it runs, unless `revision` is
   * a compact revision whose hash etcd has kept (3.5.5 and newer).
   */
  async hashKV(revision = 0, options: CallOptions = {}): Promise<HashKv> {
    try {
      return await this.#hashKV(revision, options);
    } catch (error) {
      // etcd 3.4 refuses the revision that it is compacted at, also where that is the newest one; unnamed, it hashes it.
      const isNewest = isEtcdOpsError(error, 'ETCD_COMPACTED') && (await this.status(options)).revision === revision;
      const newest = isNewest ? await this.#hashKV(0, options) : undefined;
      if (newest?.revision !== revision) throw error;
      return newest;
    }
  }

  async #hashKV(revision: number, options: CallOptions): Promise<HashKv> {
    const answer = decodeHashKv(await this.#call('Maintenance', 'HashKV', encodeHashKv(revision), long(options)));
    this.#checkCluster(answer.header);
    const hashedRevision =
      answer.hashRevision > 0 ? answer.hashRevision : revision > 0 ? revision : answer.header.revision;
    const { hash, compactRevision, header } = answer;
    return { hash, revision: hashedRevision, compactRevision, memberId: header.memberId };
  }

  /**
   * Tries the rights of HashKV, Snapshot and Defragment without their cost: etcd checks the rights first, alike for all three, and
   * then refuses a revision that does not exist yet (mvcc/hash.go). @throws EtcdOpsError ETCD_AUTH.
   */
  async tryMaintenanceRight(options: CallOptions = {}): Promise<void> {
    try {
      await this.#call('Maintenance', 'HashKV', encodeHashKv(Number.MAX_SAFE_INTEGER), options);
    } catch (error) {
      if (!isEtcdOpsError(error, 'ETCD_FAILED') || !/future revision/.test(error.message)) throw error;
    }
  }

  /** Blocks the member until it is done. */
  async defragment(options: CallOptions = {}): Promise<void> {
    await this.#call('Maintenance', 'Defragment', EMPTY_REQUEST, long(options));
  }

  /** This member must be the leader. */
  async moveLeader(targetId: bigint, options: CallOptions = {}): Promise<void> {
    await this.#call('Maintenance', 'MoveLeader', encodeMoveLeader(targetId), options);
  }

  async alarmList(options: CallOptions = {}): Promise<EtcdAlarm[]> {
    const answer = await this.#call('Maintenance', 'Alarm', ALARM_LIST_REQUEST, options);
    this.#header(answer);
    return decodeAlarms(answer);
  }

  async memberList(options: CallOptions = {}): Promise<MemberInfo[]> {
    const answer = await this.#call('Cluster', 'MemberList', encodeMemberList({ linearizable: false }), options);
    this.#header(answer);
    return decodeMemberList(answer);
  }

  async leaseTimeToLive(id: bigint, options: CallOptions = {}): Promise<LeaseFacts> {
    const answer = decodeLeaseTimeToLive(
      await this.#call('Lease', 'LeaseTimeToLive', encodeLeaseTimeToLive(id), options),
    );
    this.#checkCluster(answer.header);
    const { grantedTtlSeconds, ttlSeconds, header } = answer;
    return { id, grantedTtlSeconds, ttlSeconds, revision: header.revision };
  }

  /** All lease ids that this member knows. etcd holds its lessor lock meanwhile: not more than once per delta. */
  async leases(options: CallOptions = {}): Promise<bigint[]> {
    const answer = await this.#call('Lease', 'LeaseLeases', EMPTY_REQUEST, options);
    this.#header(answer);
    return decodeLeases(answer);
  }

  /** Compacts the whole cluster's history: only tests and tools that were told to do this. */
  async compact(
    revision: number,
    { physical = false, ...options }: CallOptions & { physical?: boolean } = {},
  ): Promise<void> {
    await this.#call('KV', 'Compact', encodeCompact(revision, physical), physical ? long(options) : options);
  }

  /** Needs the role `root`; etcd 3.4 does not have the call (undefined). */
  async authStatus(options: CallOptions = {}): Promise<AuthStatusAnswer | undefined> {
    try {
      return decodeAuthStatus(await this.#call('Auth', 'AuthStatus', EMPTY_REQUEST, options));
    } catch (error) {
      if (isEtcdOpsError(error, 'ETCD_FAILED') && /unknown method|unimplemented/i.test(error.message)) return undefined;
      throw error;
    }
  }

  watch(options: WatchOptions): Watch {
    return new Watch(this.#connection, options, (header) => this.#checkCluster(header));
  }

  /** The same for one that begins far behind: see `SegmentedWatch`. */
  watchSegments(options: SegmentedWatchOptions): SegmentedWatch {
    return new SegmentedWatch(this.#connection, options, (header) => this.#checkCluster(header));
  }

  #call(
    service: string,
    name: string,
    request: Buffer,
    options: CallOptions & { requireLeader?: boolean },
  ): Promise<Buffer> {
    const method: RpcMethod = { service, name };
    return this.#connection.unary(method, request, options);
  }

  #header(answer: Buffer): ResponseHeader {
    const header = decodeResponseHeader(answer);
    this.#checkCluster(header);
    return header;
  }

  #checkCluster({ clusterId }: ResponseHeader): void {
    if (this.#clusterId === undefined || clusterId === 0n || clusterId === this.#clusterId) return;
    const others = this.#clusterKnownFrom === '' ? 'the others' : this.#clusterKnownFrom;
    throw new EtcdOpsError('ETCD_WRONG_CLUSTER', {
      message:
        `${this.endpoint} belongs to cluster ${clusterId.toString(16)}, ` +
        `but ${others} to cluster ${this.#clusterId.toString(16)}`,
    });
  }
}

function long(options: CallOptions): CallOptions {
  return { timeoutMs: LONG_REQUEST_TIMEOUT_MS, ...options };
}
