import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FairShare } from './fair-share.ts';

function share(world: { clusters: number; watchers: number; nowMs: number }): FairShare {
  return new FairShare({
    clusters: () => world.clusters,
    watchers: () => world.watchers,
    yieldPauseMs: 100,
    patienceMs: 1_000,
    monotonicMs: () => world.nowMs,
  });
}

describe('FairShare', () => {
  it('lets a watcher take its part, and no more while others may', () => {
    const world = { clusters: 5, watchers: 2, nowMs: 0 };
    const own = share(world);
    for (const cluster of ['a', 'b', 'c']) {
      expect(own.mayTake(cluster)).toBe(true);
      own.took(cluster);
    }
    expect(own.mayTake('d')).toBe(false);
    world.watchers = 1;
    expect(own.mayTake('d')).toBe(true);
  });

  it('takes what nobody took for long, once in a while', () => {
    const world = { clusters: 2, watchers: 2, nowMs: 0 };
    const own = share(world);
    own.took('a');
    expect(own.mayTake('b')).toBe(false);
    world.nowMs = 999;
    expect(own.mayTake('b')).toBe(false);
    world.nowMs = 1_000;
    expect(own.mayTake('b')).toBe(true);
    expect(own.mayTake('b')).toBe(false);
  });

  it('gives back one after the other', () => {
    const world = { clusters: 4, watchers: 4, nowMs: 0 };
    const own = share(world);
    for (const cluster of ['a', 'b', 'c', 'd']) own.took(cluster);
    expect(own.mustYield()).toBe(true);
    own.gave('d');
    expect(own.mustYield()).toBe(false);
    world.nowMs = 100;
    expect(own.mustYield()).toBe(true);
    own.gave('c');
    world.nowMs = 200;
    expect(own.mustYield()).toBe(true);
    own.gave('b');
    world.nowMs = 1_000;
    expect(own.mustYield()).toBe(false);
  });

  it('ends with every cluster owned and nobody more than one above another, whoever had them', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.array(fc.nat(4), { maxLength: 20 }), (watchers, first) => {
        const world = { clusters: first.length, watchers, nowMs: 0 };
        const shares = Array.from({ length: watchers }, () => share(world));
        const owner = first.map((index) => index % watchers);
        owner.forEach((index, cluster) => shares[index]!.took(String(cluster)));
        for (let turn = 0; turn < 60; turn++) {
          world.nowMs += 100;
          owner.forEach((index, cluster) => {
            if (index < 0 || !shares[index]!.mustYield()) return;
            shares[index]!.gave(String(cluster));
            owner[cluster] = -1;
          });
          owner.forEach((index, cluster) => {
            const taker = index < 0 ? shares.findIndex((one) => one.mayTake(String(cluster))) : -1;
            if (taker < 0) return;
            shares[taker]!.took(String(cluster));
            owner[cluster] = taker;
          });
        }
        const counts = shares.map((_, watcher) => owner.filter((index) => index === watcher).length);
        expect(counts.reduce((sum, count) => sum + count, 0)).toBe(first.length);
        expect(Math.max(...counts)).toBeLessThanOrEqual(Math.ceil(first.length / watchers));
      }),
    );
  });
});
