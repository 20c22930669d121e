import type { LiveStore } from './live-store.ts';
import type { Randomness } from './randomness.ts';

export interface HardLoad {
  /** The revision after each step, ascending. */
  revisions: number[];
  /** Leases granted and not revoked. */
  leases: string[];
}

/**
 * Everything that makes rows: puts, overwrites, large values, deletes, range deletes, transactions of many keys, leases with
 * keys, and revoked leases (which delete their keys in one revision).
 */
export async function hardLoad(store: LiveStore, randomness: Randomness, steps: number): Promise<HardLoad> {
  const load: HardLoad = { revisions: [], leases: [] };
  const key = () => `load/${randomness.below(300)}`;
  for (let step = 0; step < steps; step++) {
    load.revisions.push(await oneStep(store, randomness, key, load));
  }
  return load;
}

async function oneStep(store: LiveStore, randomness: Randomness, key: () => string, load: HardLoad): Promise<number> {
  const kind = randomness.below(100);
  if (kind < 55) return store.put(key(), 'v'.repeat(randomness.below(400)), load.leases.at(-1));
  if (kind < 60) return store.put(key(), 'large'.repeat(1000 + randomness.below(6000)));
  if (kind < 72) return store.deleteRange(key());
  if (kind < 76) return store.deleteRange(`load/${randomness.below(30)}`, `load/${30 + randomness.below(10)}`);
  if (kind < 94) {
    const base = randomness.below(250);
    const keys = Array.from({ length: 1 + randomness.below(40) }, (_, index) => `load/${base + index}`);
    return store.transact(keys.slice(2), keys.slice(0, 2), 't'.repeat(randomness.below(200)));
  }
  if (kind < 98 || load.leases.length < 2) {
    load.leases.push(await store.grant(600 + randomness.below(3000)));
    return store.put(key(), 'leased', load.leases.at(-1));
  }
  return store.revoke(load.leases.shift()!);
}
