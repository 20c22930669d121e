import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { startHeapCollector } from './heap-collector.ts';

const MIB = 1024 * 1024;
const LOOK_MS = 1_000;
const COMPACT_PAUSE_MS = 60_000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A heap of which `live` lives; a collection takes `collectMs` and leaves that, but gives nothing of `resident` back: only a compaction does. */
function heap({ collectMs = 0 } = {}) {
  const state = {
    ...{ bytes: 50 * MIB, live: 40 * MIB, empty: 0, resident: 100 * MIB, held: 80 * MIB },
    ...{ nowMs: 0, cpuMs: 0, collections: 0, compactions: 0 },
  };
  const collector = startHeapCollector({
    collect: () => {
      state.collections++;
      state.bytes = state.live;
      state.cpuMs += collectMs;
    },
    compact: () => {
      state.compactions++;
      state.bytes = state.live;
      state.resident = state.held;
      state.empty = 0;
      state.cpuMs += collectMs;
    },
    memory: () => ({ rss: state.resident, heapTotal: state.bytes + state.empty, heapUsed: state.bytes }),
    growthBytesMax: 16 * MIB,
    residentGrowthBytesMax: 10 * MIB,
    emptyBytesMax: 12 * MIB,
    compactPauseMs: COMPACT_PAUSE_MS,
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

test('gives back what starting left, then collects when the heap grew by the limit, and not for what lives', () => {
  const { state, look } = heap();
  look();
  expect(state).toMatchObject({ collections: 0, compactions: 1 });
  state.bytes += 15 * MIB;
  look(10);
  expect(state.collections).toBe(0);
  state.bytes += MIB;
  state.live = state.bytes;
  look(10);
  expect(state).toMatchObject({ collections: 1, compactions: 1 });
});

test('gives memory back when the process grew by the limit since it did so last, after a pause, and not for what it holds', () => {
  const { state, look } = heap();
  look();
  expect(state.resident).toBe(80 * MIB);
  state.resident = 95 * MIB;
  look(COMPACT_PAUSE_MS / LOOK_MS - 1);
  expect(state.compactions).toBe(1);
  look();
  expect(state).toMatchObject({ collections: 0, compactions: 2, resident: 80 * MIB });
  state.held = 91 * MIB;
  state.resident = state.held;
  look((2 * COMPACT_PAUSE_MS) / LOOK_MS);
  expect(state.compactions).toBe(3);
  state.resident += 9 * MIB;
  look((2 * COMPACT_PAUSE_MS) / LOOK_MS);
  expect(state).toMatchObject({ collections: 0, compactions: 3 });
});

test('gives memory back when much of the heap holds nothing, of a large heap a quarter', () => {
  const { state, look } = heap();
  look();
  state.empty = 11 * MIB;
  look(COMPACT_PAUSE_MS / LOOK_MS);
  expect(state.compactions).toBe(1);
  state.empty = 12 * MIB;
  look();
  expect(state.compactions).toBe(2);
  const large = heap();
  large.state.bytes = 100 * MIB;
  large.state.live = large.state.bytes;
  large.look();
  large.state.empty = 24 * MIB;
  large.look((2 * COMPACT_PAUSE_MS) / LOOK_MS);
  expect(large.state.compactions).toBe(1);
  large.state.empty = 25 * MIB;
  large.look();
  expect(large.state.compactions).toBe(2);
});

test('gives back what lived at a busy time, once there was garbage again, and then no more', () => {
  const { state, look } = heap();
  state.held = 110 * MIB;
  look();
  expect(state.resident).toBe(110 * MIB);
  state.held = 80 * MIB;
  look((3 * COMPACT_PAUSE_MS) / LOOK_MS);
  expect(state.compactions).toBe(1);
  state.bytes += 16 * MIB;
  look(2);
  expect(state).toMatchObject({ collections: 1, compactions: 2, resident: 80 * MIB });
  look((3 * COMPACT_PAUSE_MS) / LOOK_MS);
  expect(state).toMatchObject({ collections: 1, compactions: 2 });
});

test('counts from the least since then: what V8 collected itself is no growth', () => {
  const { state, look } = heap();
  look();
  state.bytes = 10 * MIB;
  look();
  state.bytes = 25 * MIB;
  look();
  expect(state.collections).toBe(0);
  state.bytes = 26 * MIB;
  look();
  expect(state.collections).toBe(1);
});

test('takes little of the time of a process that makes much garbage', () => {
  const { state, look } = heap({ collectMs: 100 });
  look();
  state.bytes += 100 * MIB;
  look(4);
  expect(state.collections).toBe(0);
  look();
  expect(state.collections).toBe(1);
});

test('does nothing where nobody may ask for collections, and ends with its disposal', () => {
  const { state, collector, look } = heap();
  collector[Symbol.dispose]();
  look(10);
  expect(state).toMatchObject({ collections: 0, compactions: 0 });
  startHeapCollector({ collect: undefined, memory: () => expect.fail('looked') });
  vi.advanceTimersByTime(10 * LOOK_MS);
});
