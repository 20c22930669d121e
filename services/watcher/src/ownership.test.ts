import { createLogger, systemClock } from '@etcd-ops/service-kit';
import { eventually } from '@etcd-ops/test-kit';
import { describe, expect, it } from 'vitest';
import { holdOwnership, type OwnerKey } from './ownership.ts';

/** One key, as the bucket keeps it. */
function bucket() {
  const state = { holder: '', revision: 0, down: false, refused: 0 };
  const key = (holder: string): OwnerKey => {
    const check = () => {
      if (!state.down) return;
      state.refused++;
      throw new Error('no bus');
    };
    return {
      create: async () => (check(), state.holder === '' ? ((state.holder = holder), ++state.revision) : undefined),
      renew: async (revision) => (
        check(),
        state.holder === holder && state.revision === revision ? ++state.revision : undefined
      ),
      release: async (revision) => {
        if (state.revision === revision) state.holder = '';
      },
    };
  };
  return { state, key };
}

function contender(key: OwnerKey) {
  const stop = new AbortController();
  const log: string[] = [];
  const done = holdOwnership({
    key,
    renewMs: () => 5,
    contendMs: 5,
    clock: systemClock,
    logger: createLogger({ level: 'silent', name: 'test' }),
    signal: stop.signal,
    async whileOwned(signal) {
      log.push('began');
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      log.push('ended');
    },
  });
  return { log, stop: async () => (stop.abort(), await done) };
}

describe('holdOwnership', () => {
  it('lets one capture, and the next one follow at a release', async () => {
    const { state, key } = bucket();
    const first = contender(key('a'));
    await eventually(() => first.log.length === 1);
    const second = contender(key('b'));
    await eventually(() => state.revision > 5);
    expect(second.log).toEqual([]);
    await first.stop();
    expect(first.log).toEqual(['began', 'ended']);
    await eventually(() => second.log.length === 1);
    await second.stop();
    expect(state.holder).toBe('');
  });

  it('goes on capturing while the bus is away and when its key has expired', async () => {
    const { state, key } = bucket();
    const owner = contender(key('a'));
    await eventually(() => state.revision > 1);
    state.down = true;
    state.holder = '';
    const { revision } = state;
    await eventually(() => state.refused > 3);
    expect(owner.log).toEqual(['began']);
    state.down = false;
    await eventually(() => state.holder === 'a' && state.revision > revision);
    expect(owner.log).toEqual(['began']);
    await owner.stop();
  });

  it('ends when it sees another owner', async () => {
    const { state, key } = bucket();
    const owner = contender(key('a'));
    await eventually(() => state.revision > 1);
    state.holder = 'b';
    await eventually(() => owner.log.length === 2);
    await owner.stop();
    expect(state.holder).toBe('b');
  });

  it('rests until it is told, where somebody tells, and else as long as it is said', async () => {
    const { state, key } = bucket();
    state.holder = 'b';
    const stop = new AbortController();
    const rests: (number | undefined)[] = [undefined, 7, undefined];
    const slept: number[] = [];
    const listeners = new Set<() => void>();
    let asked = 0;
    const done = holdOwnership({
      key: key('a'),
      renewMs: () => 5,
      contendMs: 5,
      random: () => 0,
      clock: {
        now: () => 0,
        sleep: async (ms, signal) => {
          slept.push(ms);
          if (ms > 1_000) await new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve()));
        },
      },
      logger: createLogger({ level: 'silent', name: 'test' }),
      signal: stop.signal,
      whileOwned: () => Promise.resolve(),
      spread: {
        mayTake: () => (asked++, true),
        took: () => {},
        missed: () => {},
        gave: () => {},
        mustYield: () => false,
        restMs: () => rests.shift(),
        onFree: (listener) => {
          listeners.add(listener);
          return () => listeners.delete(listener);
        },
      },
    });
    await eventually(() => slept.length === 1);
    expect(asked).toBe(1);
    for (const listener of listeners) listener();
    await eventually(() => slept.length === 3);
    expect(slept).toEqual([30_000, 7, 30_000]);
    expect(asked).toBe(3);
    stop.abort();
    await done;
    expect(listeners.size).toBe(0);
  });
});
