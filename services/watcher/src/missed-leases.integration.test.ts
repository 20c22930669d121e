import { positionKey, positions, streamFacts, trimEvents } from '@etcd-ops/bus';
import { eventually, findBinary, missingBinary, startEtcd, type TestEtcd } from '@etcd-ops/test-kit';
import { openEtcd3 } from '@etcd-ops/etcd-client';
import { expect, test } from 'vitest';
import { CLUSTER, headOf, World } from './testing/world.ts';

const LEASES = 60;
const PER_TRANSACTION = 15;
const WAIT_MS = 120_000;
/** Asks about hardly any lease, and waits for no answer when it ends: as if it had been killed. */
const DYING = { leaseAsksMax: 1, leaseAsksPerSecondMax: 1, flushTimeoutMs: 0 };

/** Keys with a lease each, in a few revisions. */
async function putLeased(etcd: TestEtcd): Promise<bigint[]> {
  const client = await openEtcd3({ endpoints: etcd.endpoints });
  const ids: bigint[] = [];
  for (let from = 0; from < LEASES; from += PER_TRANSACTION) {
    const granted: string[] = [];
    for (let index = 0; index < PER_TRANSACTION; index++) {
      granted.push((await client.leaseClient.leaseGrant({ TTL: 3_000 })).ID);
    }
    const success = granted.map((lease, index) => ({
      request_put: { key: Buffer.from(`k${from + index}`), value: Buffer.from('v'), lease },
    }));
    await client.kv.txn({ compare: [], success, failure: [] });
    ids.push(...granted.map(BigInt));
  }
  client.close();
  return ids;
}

const byId = (left: bigint, right: bigint): number => (left < right ? -1 : Number(left > right));

async function ttlsIn(world: World): Promise<bigint[]> {
  const { events } = await world.events();
  const records = events.flatMap((event) => (event.kind === 'rows' ? event.leases : []));
  const known = records.filter(({ source, grantedTtlSeconds }) => source === 'ttl' && grantedTtlSeconds === 3_000);
  return [...new Set(known.map(({ id }) => id))].toSorted(byId);
}

test.for([
  ['in the stream', false],
  ['stored and trimmed', true],
] as const)(
  'a watcher asks about the leases that the one before it did not get to ask about: their rows %s',
  async ([, isTrimmed], ctx) => {
    for (const program of ['etcd', 'nats-server'] as const) {
      if (findBinary(program) === undefined) ctx.skip(missingBinary(program));
    }
    await using etcd = await startEtcd();
    await using world = await World.open(etcd);
    let ids: bigint[] = [];
    {
      await using watcher = await world.startWatcher(DYING);
      await watcher.watching();
      ids = await putLeased(etcd);
      const head = await headOf(etcd);
      await eventually(async () => (await world.capturedRevision()) === head, { timeoutMs: WAIT_MS });
    }
    expect((await ttlsIn(world)).length).toBeLessThan(LEASES - PER_TRANSACTION);
    if (isTrimmed) {
      // As the uploader leaves it when all of it is durable.
      const { lastSequence: sequence } = await streamFacts(world.bus, CLUSTER);
      const last = (await world.events()).events.at(-1)!;
      const point = { timeline: 1, revision: last.kind === 'rows' ? last.last : 0, digest: last.digest };
      const updatedAt = new Date().toISOString();
      await positions(world.bus).put(positionKey(CLUSTER), { version: 1, ...point, sequence, updatedAt });
      await trimEvents(world.bus, CLUSTER, sequence);
      expect((await world.events()).events).toHaveLength(1);
    }
    await using watcher = await world.startWatcher();
    await watcher.watching();
    await eventually(async () => (await ttlsIn(world)).join() === ids.toSorted(byId).join(), { timeoutMs: WAIT_MS });
  },
);
