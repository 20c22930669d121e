import {
  BoltFile,
  parseInitialCluster,
  planRestore,
  readInventory,
  readLeases,
  restore,
  type RestorePlan,
} from '@etcd-ops/core';
import { eventually } from '@etcd-ops/test-kit';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ChaosWorld } from '../world/chaos-world.ts';

/** An answer that failed is asked for again after half a minute, and becomes durable with the next delta. */
const KNOWN_WITHIN_MS = 120_000;
const LOOK_AGAIN_MS = 1_000;

/**
 * Restores the newest revision and holds its leases against the living cluster: each that lives in both has the TTL that etcd granted.
 * Not compared is what nobody can know: leases that ended before anybody could ask, and those that no key ever had. Answers how many
 * were equal. @throws naming those that differ, or whose TTL did not become known.
 */
export async function checkLeases(world: ChaosWorld): Promise<number> {
  let wrong: string[] = [];
  let equal = 0;
  try {
    await eventually(
      async () => {
        const plan = planRestore(await readInventory(world.store, world.cluster), { kind: 'latest' });
        ({ wrong, equal } = await compare(world, plan));
        return wrong.length === 0;
      },
      { timeoutMs: KNOWN_WITHIN_MS, intervalMs: LOOK_AGAIN_MS },
    );
  } catch (error) {
    const shown = wrong.slice(0, 10).join('; ');
    throw new Error(`TTLs of ${wrong.length} restored leases are not those of the cluster: ${shown}`, { cause: error });
  }
  return equal;
}

async function compare(world: ChaosWorld, plan: RestorePlan): Promise<{ wrong: string[]; equal: number }> {
  const dataDir = world.scratch.file('leases');
  try {
    const { leases } = await restore({
      store: world.store,
      plan,
      dataDirs: [{ member: 'm1', dataDir }],
      initialCluster: parseInitialCluster('m1=http://127.0.0.1:2'),
      token: 'leases',
      dropAlarms: true,
    });
    using file = BoltFile.open(join(dataDir, 'member', 'snap', 'db'));
    const restored = readLeases(file);
    const unknown = new Set(leases.unknown);
    const member = world.direct.members()[0]!;
    await member.linearizableRead();
    const wrong: string[] = [];
    let equal = 0;
    for (const id of await member.leases()) {
      const found = restored.get(id)?.ttlSeconds;
      if (found === undefined) continue;
      const { grantedTtlSeconds, ttlSeconds } = await member.leaseTimeToLive(id);
      if (ttlSeconds < 0) continue;
      if (!unknown.has(id) && found === grantedTtlSeconds) equal++;
      else wrong.push(`${id} has ${grantedTtlSeconds} s, restored ${unknown.has(id) ? 'unknown' : `${found} s`}`);
    }
    return { wrong, equal };
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}
