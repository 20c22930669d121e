import { setTimeout as delay } from 'node:timers/promises';
import type { EtcdMember } from '@etcd-ops/etcd-client';
import type { SteadyWatch } from './steady-watch.ts';

const PERIOD_MS = 250;

/**
 * Compacts again and again what every watch has seen: up to C itself, so that C is often the very revision a watch stands at.
 * Ends with its disposal; `count` is how often etcd did so.
 */
export function compactBehind(
  member: EtcdMember,
  watches: readonly SteadyWatch[],
): AsyncDisposable & { count: number } {
  const stop = new AbortController();
  const compacting = {
    count: 0,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
    },
  };
  const run = async () => {
    let last = 1;
    while (!stop.signal.aborted) {
      const seen = Math.min(...watches.map(({ rows }) => rows.lastComplete));
      if (seen > last) {
        await member.compact(seen);
        compacting.count++;
        last = seen;
      }
      await delay(PERIOD_MS, undefined, { signal: stop.signal }).catch(() => {});
    }
  };
  const running = run();
  return compacting;
}
