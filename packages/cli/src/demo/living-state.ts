import { createHash } from 'node:crypto';
import type { EtcdMember } from '@etcd-ops/etcd-client';
import type { Etcd3 } from 'etcd3';

/** All that a cluster says about itself at one revision: what a restore must bring back. */
export interface LivingState {
  revision: number;
  compactRevision: number;
  /** etcd's own HashKV at `revision` under `compactRevision`. */
  hash: number;
  /** Key (hex) to `create revision/mod revision/version/lease/SHA-256 of the value`. */
  keys: Map<string, string>;
  /** Lease id (hex) to granted TTL and number of attached keys. */
  leases: Map<string, { ttlSeconds: number; keys: number }>;
}

const PAGE_KEYS = 200;

/** Reads everything from a living etcd. The cluster must be quiet, so that leases and keys belong together. */
export async function readLivingState(client: Etcd3, member: EtcdMember, revision: number): Promise<LivingState> {
  const { hash, compactRevision } = await member.hashKV(revision);
  const keys = await readKeys(client, revision);
  return { revision, compactRevision, hash, keys: keys.entries, leases: await readLeases(member, keys.leaseUse) };
}

async function readKeys(
  client: Etcd3,
  revision: number,
): Promise<{ entries: Map<string, string>; leaseUse: Map<string, number> }> {
  const entries = new Map<string, string>();
  const leaseUse = new Map<string, number>();
  const everything = Buffer.from([0]);
  let from = everything;
  for (;;) {
    const page = await client.kv.range({
      key: from,
      range_end: everything,
      revision,
      limit: PAGE_KEYS,
      serializable: true,
    });
    for (const pair of page.kvs) {
      const value = createHash('sha256').update(pair.value).digest('hex');
      const lease = BigInt.asUintN(64, BigInt(pair.lease)).toString(16);
      entries.set(
        pair.key.toString('hex'),
        `${pair.create_revision}/${pair.mod_revision}/${pair.version}/${lease}/${value}`,
      );
      if (lease !== '0') leaseUse.set(lease, (leaseUse.get(lease) ?? 0) + 1);
    }
    const last = page.kvs.at(-1);
    if (!page.more || last === undefined) return { entries, leaseUse };
    from = Buffer.concat([last.key, Buffer.from([0])]);
  }
}

async function readLeases(member: EtcdMember, leaseUse: Map<string, number>): Promise<LivingState['leases']> {
  const leases: LivingState['leases'] = new Map();
  for (const id of await member.leases()) {
    const { ttlSeconds, grantedTtlSeconds } = await member.leaseTimeToLive(id);
    const hex = BigInt.asUintN(64, id).toString(16);
    if (ttlSeconds !== -1) leases.set(hex, { ttlSeconds: grantedTtlSeconds, keys: leaseUse.get(hex) ?? 0 });
  }
  return leases;
}

export interface Comparison {
  equal: boolean;
  /** One sentence per difference, at most a handful of each sort. */
  differences: string[];
  /** Restored leases that had ended in the living cluster. They hold no key and run out again. */
  endedLeases: number;
}

const DIFFERENCES_MAX = 5;

/**
 * Holds a restored cluster against what the living one had said. Every lease that lived must be there with its TTL and its keys;
 * a lease more is no difference only if nothing hangs on it: its end reached nobody's eyes before the cluster was lost.
 */
export function compareStates(living: LivingState, restored: LivingState): Comparison {
  const differences: string[] = [];
  const expectEqual = (what: string, expected: number, found: number): void => {
    if (expected !== found) {
      differences.push(`${what}: the living cluster said ${expected}, the restored one says ${found}`);
    }
  };
  expectEqual('revision', living.revision, restored.revision);
  expectEqual('compact revision', living.compactRevision, restored.compactRevision);
  expectEqual('HashKV', living.hash, restored.hash);
  expectEqual('number of keys', living.keys.size, restored.keys.size);
  differences.push(...compareKeys(living.keys, restored.keys));
  const leases = compareLeases(living.leases, restored.leases);
  differences.push(...leases.differences);
  return { equal: differences.length === 0, differences, endedLeases: leases.ended };
}

function compareKeys(living: LivingState['keys'], restored: LivingState['keys']): string[] {
  const differences: string[] = [];
  for (const [key, facts] of living) {
    const found = restored.get(key);
    if (found !== facts) differences.push(`key ${printable(key)}: expected ${facts}, found ${found ?? 'nothing'}`);
  }
  for (const key of restored.keys()) {
    if (!living.has(key)) differences.push(`key ${printable(key)} should not be there`);
  }
  return shorten(differences);
}

function compareLeases(
  living: LivingState['leases'],
  restored: LivingState['leases'],
): { differences: string[]; ended: number } {
  const differences: string[] = [];
  let ended = 0;
  for (const [id, lease] of living) {
    const found = restored.get(id);
    if (found?.ttlSeconds !== lease.ttlSeconds || found.keys !== lease.keys) {
      const words = found === undefined ? 'nothing' : `TTL ${found.ttlSeconds} s with ${found.keys} keys`;
      differences.push(`lease ${id}: expected TTL ${lease.ttlSeconds} s with ${lease.keys} keys, found ${words}`);
    }
  }
  for (const [id, lease] of restored) {
    if (living.has(id)) continue;
    if (lease.keys === 0) ended++;
    else differences.push(`lease ${id} with ${lease.keys} keys should not be there`);
  }
  return { differences: shorten(differences), ended };
}

function shorten(differences: string[]): string[] {
  if (differences.length <= DIFFERENCES_MAX) return differences;
  return [...differences.slice(0, DIFFERENCES_MAX), `... and ${differences.length - DIFFERENCES_MAX} more`];
}

function printable(hex: string): string {
  const text = Buffer.from(hex, 'hex').toString('latin1');
  return /^[\x20-\x7e]+$/.test(text) ? text : `0x${hex}`;
}
