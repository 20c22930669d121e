import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { startHeapCollector } from './heap-collector.ts';

const MIB = 1024 * 1024;
const LOOK_MS = 1_000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A heap of which `live` lives; a collection takes `collectMs` and leaves that. */
function heap({ collectMs = 0 } = {}) {
  const state = { bytes: 50 * MIB, live: 40 * MIB, nowMs: 0, cpuMs: 0, collections: 0 };
  const collector = startHeapCollector({
    collect: () => {
      state.collections++;
      state.bytes = state.live;
      state.cpuMs += collectMs;
    },
    heapBytes: () => state.bytes,
    growthBytesMax: 16 * MIB,
    lookMs: LOOK_MS,
    now: () => state.nowMs,
    cpuMs: () => state.cpuMs,
  });
  const look = (times = 1): void => {
    for (let time = 0; time < times; time++) {
      state.nowMs += LOOK_MS;
      vi.advanceTimersByTime(LOOK_MS);
    }
  };
  return { state, collector, look };
}

test('collects what starting left, then when the heap grew by the limit, and not for what lives', () => {
  const { state, look } = heap();
  look();
  expect(state.collections).toBe(1);
  state.bytes += 15 * MIB;
  look(10);
  expect(state.collections).toBe(1);
  state.bytes += MIB;
  state.live = state.bytes;
  look(10);
  expect(state.collections).toBe(2);
});

test('counts from the least since then: what V8 collected itself is no growth', () => {
  const { state, look } = heap();
  look();
  state.bytes = 10 * MIB;
  look();
  state.bytes = 25 * MIB;
  look();
  expect(state.collections).toBe(1);
  state.bytes = 26 * MIB;
  look();
  expect(state.collections).toBe(2);
});

test('takes little of the time of a process that makes much garbage', () => {
  const { state, look } = heap({ collectMs: 100 });
  look();
  state.bytes += 100 * MIB;
  look(4);
  expect(state.collections).toBe(1);
  look();
  expect(state.collections).toBe(2);
});

test('does nothing where nobody may ask for collections, and ends with its disposal', () => {
  const { state, collector, look } = heap();
  collector[Symbol.dispose]();
  look(10);
  expect(state.collections).toBe(0);
  startHeapCollector({ collect: undefined, heapBytes: () => expect.fail('looked') });
  vi.advanceTimersByTime(10 * LOOK_MS);
});
