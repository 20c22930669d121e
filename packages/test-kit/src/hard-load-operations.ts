import type { Etcd3, ILeaseGrantRequest, IRequestOp } from 'etcd3';
import type { Random } from '@etcd-ops/core';

/** What one writer works with. Writers share `leases`. */
export interface HardLoadContext {
  client: Etcd3;
  random: Random;
  /** Ids of leases that may still live, as decimal strings. */
  leases: string[];
  /** Ids of leases that run out by themselves. */
  shortLeases: string[];
  compactions: number[];
  valueBytesMax: number;
  txnOpsMax: number;
  /** A number that no other operation of this load has. */
  serial: () => number;
}

const KEY_COUNT = 200;
const RANGE_COUNT = 8;

function key(random: Random): Buffer {
  return Buffer.from(`load/key/${random.integer(0, KEY_COUNT - 1)}`);
}

/** Several different keys, in no order. */
function keys(random: Random, count: number): Buffer[] {
  const first = random.integer(0, KEY_COUNT - 1);
  return Array.from({ length: count }, (_, index) => Buffer.from(`load/key/${(first + index * 7) % 1_009}`));
}

function rangeOf(random: Random): { prefix: string; key: Buffer; range_end: Buffer } {
  const prefix = `load/range/${random.integer(0, RANGE_COUNT - 1)}`;
  return { prefix, key: Buffer.from(`${prefix}/`), range_end: Buffer.from(`${prefix}0`) };
}

function value(random: Random, bytesMax = 400): Buffer {
  return Buffer.alloc(random.integer(1, bytesMax), random.bytes(16));
}

function put(putKey: Buffer, putValue: Buffer): IRequestOp {
  return { request_put: { key: putKey, value: putValue } };
}

function remove(removedKey: Buffer, rangeEnd?: Buffer): IRequestOp {
  return { request_delete_range: { key: removedKey, ...(rangeEnd && { range_end: rangeEnd }) } };
}

function mixedOperations({ random }: HardLoadContext, count: number): IRequestOp[] {
  return keys(random, count).map((one) => (random.fraction() < 0.3 ? remove(one) : put(one, value(random, 200))));
}

async function grant({ client, leases }: HardLoadContext, request: ILeaseGrantRequest): Promise<string> {
  const { ID } = await client.leaseClient.leaseGrant(request);
  leases.push(ID);
  return ID;
}

/** An id as clients may choose them: negative, beyond 2^53, or left to the server. */
function leaseId({ serial }: HardLoadContext): string {
  const unique = serial();
  const ids = [0n, -1_000_000n - BigInt(unique), 2n ** 62n + BigInt(unique), 5_000_000n + BigInt(unique)];
  return String(ids[unique % ids.length]!);
}

/** Each is one request or a few; a refusal by etcd (a key that is not there) is part of the load. */
export const HARD_LOAD_OPERATIONS = {
  put: ({ client, random }) => client.kv.put({ key: key(random), value: value(random) }),
  putEmpty: ({ client, random }) => client.kv.put({ key: key(random), value: Buffer.alloc(0) }),
  putLarge: ({ client, random, valueBytesMax }) =>
    client.kv.put({
      key: Buffer.from(`load/large/${random.integer(0, 3)}`),
      value: value(random, valueBytesMax),
    }),
  putBinary: ({ client, random }) =>
    client.kv.put({
      key: Buffer.concat([Buffer.of(random.pick([0, 1, 0x80, 0xff])), random.bytes(20)]),
      value: random.bytes(50),
    }),
  putIgnoreValue: ({ client, random, leases }) =>
    client.kv.put({ key: key(random), ignore_value: true, lease: leases.length > 0 ? random.pick(leases) : 0 }),
  putIgnoreLease: ({ client, random }) => client.kv.put({ key: key(random), value: value(random), ignore_lease: true }),
  removeOne: ({ client, random }) => client.kv.deleteRange({ key: key(random) }),
  removeNothing: ({ client }) => client.kv.deleteRange({ key: Buffer.from('load/never') }),
  txnSmall: (context) => context.client.kv.txn({ success: mixedOperations(context, context.random.integer(2, 30)) }),
  txnBig: ({ client, random, txnOpsMax, serial }) => {
    const { prefix } = rangeOf(random);
    const id = serial();
    const count = random.integer(Math.min(100, txnOpsMax), txnOpsMax);
    return client.kv.txn({
      success: Array.from({ length: count }, (_, index) =>
        put(Buffer.from(`${prefix}/${id}-${index}`), random.bytes(3)),
      ),
    });
  },
  /** A range delete and many puts elsewhere: tombstones and puts share one revision. */
  txnRangeDelete: ({ client, random, txnOpsMax, serial }) => {
    const range = rangeOf(random);
    const id = serial();
    const puts = Array.from({ length: Math.min(txnOpsMax - 1, 100) }, (_, index) => {
      return put(Buffer.from(`load/after/${id % 5}-${index}`), value(random, 40));
    });
    const half = puts.length >>> 1;
    return client.kv.txn({
      success: [...puts.slice(0, half), remove(range.key, range.range_end), ...puts.slice(half)],
    });
  },
  txnOverlappingDeletes: ({ client, random }) => {
    const range = rangeOf(random);
    return client.kv.txn({
      success: [
        remove(range.key, range.range_end),
        remove(Buffer.from(`${range.prefix}/1`)),
        remove(range.key, range.range_end),
      ],
    });
  },
  txnNested: (context) => {
    const [outer, inner, deepest] = keys(context.random, 3).map((one) => put(one, value(context.random, 60)));
    const compare = [{ target: 'Version', result: 'Greater', key: key(context.random), version: 0 } as const];
    const nested: IRequestOp = { request_txn: { success: [inner!, { request_txn: { success: [deepest!] } }] } };
    const other: IRequestOp = { request_txn: { compare, success: [], failure: [] } };
    return context.client.kv.txn({ success: [outer!, nested, other] });
  },
  txnWithoutWrites: ({ client, random }) =>
    client.kv.txn({ success: [{ request_range: { key: key(random) } }, remove(Buffer.from('load/never'))] }),
  removeRange: ({ client, random }) => {
    const range = rangeOf(random);
    return client.kv.deleteRange({ key: range.key, range_end: range.range_end });
  },
  leaseAttach: async (context) => {
    const { client, random } = context;
    const lease = await grant(context, { ID: leaseId(context), TTL: random.integer(60, 600) });
    const attached = keys(random, random.integer(1, 5));
    await Promise.all(attached.map((one) => client.kv.put({ key: one, value: value(random), lease })));
  },
  leaseRevoke: async ({ client, random, leases }) => {
    if (leases.length === 0) return;
    const [lease] = leases.splice(random.integer(0, leases.length - 1), 1);
    await client.leaseClient.leaseRevoke({ ID: lease! });
  },
  leaseExpire: async (context) => {
    const { client, random, serial } = context;
    const { ID } = await client.leaseClient.leaseGrant({ ID: leaseId(context), TTL: 1 });
    context.shortLeases.push(ID);
    const id = serial();
    for (let index = 0; index < 3; index++) {
      await client.kv.put({ key: Buffer.from(`load/short/${id}-${index}`), value: value(random), lease: ID });
    }
  },
  leaseWithoutKeys: async (context) => {
    await grant(context, { ID: leaseId(context), TTL: 300 });
  },
  compact: async ({ client, random, compactions }) => {
    const { header } = await client.kv.range({ key: Buffer.of(0), count_only: true });
    const revision = Number(header.revision) - random.integer(0, 40);
    if (revision < 2) return;
    await client.kv.compact({ revision });
    compactions.push(revision);
  },
} as const satisfies Record<string, (context: HardLoadContext) => Promise<unknown>>;

export type HardLoadOperation = keyof typeof HARD_LOAD_OPERATIONS;
