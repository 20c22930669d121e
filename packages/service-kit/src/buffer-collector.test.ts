import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { startBufferCollector } from './buffer-collector.ts';

const MIB = 1024 * 1024;
const LOOK_MS = 50;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Buffers of which `live` are in use; a collection takes `collectMs` and leaves those, one of young objects also what is `old`. */
function memory({ collectMs = 0 } = {}) {
  const state = { bytes: 40 * MIB, live: 40 * MIB, old: Infinity, nowMs: 0, collections: 0, youngCollections: 0 };
  const collector = startBufferCollector({
    collect: () => {
      state.collections++;
      state.bytes = state.live;
      state.nowMs += collectMs;
    },
    collectYoung: () => {
      state.youngCollections++;
      state.bytes = Math.min(state.bytes, state.live + state.old);
    },
    bufferBytes: () => state.bytes,
    growthBytesMax: 16 * MIB,
    lookMs: LOOK_MS,
    cpuMs: () => state.nowMs,
  });
  const look = (times = 1): void => {
    for (let time = 0; time < times; time++) {
      state.nowMs += LOOK_MS;
      vi.advanceTimersByTime(LOOK_MS);
    }
  };
  return { state, collector, look };
}

test('collects when buffers grew by the limit, and not for what stays', () => {
  const { state, look } = memory();
  state.bytes += 15 * MIB;
  look(10);
  expect(state.collections).toBe(0);
  state.bytes += MIB;
  state.live = state.bytes;
  look(10);
  expect(state.collections).toBe(1);
  state.bytes += 16 * MIB;
  look();
  expect(state.collections).toBe(2);
});

test('counts from the least since then: what V8 collected itself is no growth', () => {
  const { state, look } = memory();
  state.bytes = 10 * MIB;
  look();
  state.bytes = 26 * MIB;
  look();
  expect(state.collections).toBe(1);
});

test('the whole heap is looked through only when young objects were not enough, and what they leave does not add up', () => {
  const { state, look } = memory();
  state.old = 0;
  for (let time = 1; time <= 5; time++) {
    state.bytes += 16 * MIB;
    look();
    expect(state).toMatchObject({ collections: 0, youngCollections: time });
  }
  for (let time = 1; state.collections === 0; time++) {
    expect(time).toBeLessThan(5);
    state.old = time * 3 * MIB;
    state.bytes += 16 * MIB;
    look();
  }
  expect(state.bytes).toBe(state.live);
});

test('looks sooner while buffers come and go', () => {
  const { state, look } = memory();
  state.bytes += MIB;
  look();
  // Within one period: a collection a few milliseconds after the next 16 MB came, and none once all is calm.
  state.bytes += 16 * MIB;
  vi.advanceTimersByTime(LOOK_MS / 2);
  expect(state.collections + state.youngCollections).toBeGreaterThan(0);
  look(3);
  const { youngCollections } = state;
  state.bytes += 16 * MIB;
  vi.advanceTimersByTime(LOOK_MS / 5);
  expect(state.youngCollections).toBe(youngCollections);
});

test('takes at most a fifth of the time', () => {
  const { state, look } = memory({ collectMs: 100 });
  state.bytes += 16 * MIB;
  look();
  state.bytes += 100 * MIB;
  look(7);
  expect(state.collections).toBe(1);
  look();
  expect(state.collections).toBe(2);
});

test('ends with its disposal', () => {
  const { state, collector, look } = memory();
  collector[Symbol.dispose]();
  state.bytes += 100 * MIB;
  look(10);
  expect(state.collections).toBe(0);
});
