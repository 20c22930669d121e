import { Etcd3, type IOptions } from 'etcd3';
import { HARD_LOAD_OPERATIONS, type HardLoadContext, type HardLoadOperation } from './hard-load-operations.ts';
import { Random } from '@etcd-ops/core';

/** Flags for an etcd that is to take the big transactions (`txnOpsMax` above 128). */
export const HARD_LOAD_FLAGS: readonly string[] = ['--max-txn-ops=10000'];

/** How often each kind comes, beside once at the beginning. */
const WEIGHTS: Record<HardLoadOperation, number> = {
  put: 30,
  putEmpty: 5,
  putLarge: 1,
  putBinary: 8,
  putIgnoreValue: 5,
  putIgnoreLease: 4,
  removeOne: 10,
  removeNothing: 2,
  txnSmall: 10,
  txnBig: 2,
  txnRangeDelete: 3,
  txnOverlappingDeletes: 2,
  txnNested: 4,
  txnWithoutWrites: 2,
  removeRange: 2,
  leaseAttach: 5,
  leaseRevoke: 2,
  leaseExpire: 1,
  leaseWithoutKeys: 2,
  compact: 1,
};

export interface HardLoadOptions {
  endpoints: readonly string[];
  seed?: number;
  /** Default 500; a transaction counts as one. */
  operations?: number;
  /** Writers at the same time; default 4. With 1 the load is the same each time. */
  writers?: number;
  /** Largest value; default 1.4 MB, just below etcd's request limit. */
  valueBytesMax?: number;
  /** Default 128, etcd's own limit; up to 10,000 with HARD_LOAD_FLAGS. */
  txnOpsMax?: number;
  /** Kinds that are left out, such as `compact`. */
  without?: readonly HardLoadOperation[];
  signal?: AbortSignal;
  /** For TLS and auth. */
  client?: Partial<IOptions>;
}

export interface HardLoadReport {
  seed: number;
  /** Operations that etcd accepted, by kind. */
  done: Partial<Record<HardLoadOperation, number>>;
  /** Operations that etcd refused (a key that is not there, a revision compacted before), by kind. */
  refused: Partial<Record<HardLoadOperation, number>>;
  /** The last refusal's text by kind. */
  refusals: Partial<Record<HardLoadOperation, string>>;
  /** The store's revision afterwards. */
  revision: number;
  /** Ids of leases that were not revoked. */
  leases: bigint[];
  /** Ids of leases that run out 2 to 3 s after their grant, and take their keys along. */
  shortLeases: bigint[];
  compactions: number[];
}

/** Does to an etcd what clients do to it, from a seed: every kind of write that leaves rows, and some that leave none. */
export async function hardLoad(options: HardLoadOptions): Promise<HardLoadReport> {
  const {
    seed = 1,
    operations = 500,
    writers = 4,
    valueBytesMax = 1_400_000,
    txnOpsMax = 128,
    without = [],
    signal,
  } = options;
  const client = new Etcd3({ hosts: [...options.endpoints], ...options.client });
  const kinds = (Object.keys(HARD_LOAD_OPERATIONS) as HardLoadOperation[]).filter((kind) => !without.includes(kind));
  const weighted = kinds.flatMap((kind) => Array.from({ length: WEIGHTS[kind] }, () => kind));
  const report: HardLoadReport = {
    seed,
    done: {},
    refused: {},
    refusals: {},
    revision: 0,
    leases: [],
    shortLeases: [],
    compactions: [],
  };
  let started = 0;
  let serial = 0;
  const shared = { client, leases: [], shortLeases: [], compactions: report.compactions, serial: () => ++serial };
  const writer = async (index: number) => {
    const context: HardLoadContext = { ...shared, random: new Random(seed * 1_000 + index), valueBytesMax, txnOpsMax };
    while (started < operations) {
      signal?.throwIfAborted();
      const kind = kinds[started++] ?? context.random.pick(weighted);
      await run(kind, context, report);
    }
  };
  try {
    await Promise.all(Array.from({ length: writers }, (_, index) => writer(index)));
    const { header } = await client.kv.range({ key: Buffer.of(0), count_only: true });
    report.revision = Number(header.revision);
    report.leases = shared.leases.map(BigInt);
    report.shortLeases = shared.shortLeases.map(BigInt);
    return report;
  } finally {
    client.close();
  }
}

async function run(kind: HardLoadOperation, context: HardLoadContext, report: HardLoadReport): Promise<void> {
  try {
    await HARD_LOAD_OPERATIONS[kind](context);
    report.done[kind] = (report.done[kind] ?? 0) + 1;
  } catch (error) {
    report.refused[kind] = (report.refused[kind] ?? 0) + 1;
    report.refusals[kind] = error instanceof Error ? error.message : String(error);
  }
}
