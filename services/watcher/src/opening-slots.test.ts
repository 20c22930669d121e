import { expect, test, vi } from 'vitest';
import { OpeningSlots } from './opening-slots.ts';

const never = new AbortController().signal;

function world(slots: number) {
  const places = new OpeningSlots({ slots, lentMsMax: 1_000 });
  const inside: string[] = [];
  const come = async (name: string, signal = never): Promise<Disposable> => {
    const place = await places.take(signal);
    inside.push(name);
    return place;
  };
  return { come, inside };
}

test('lets so many in, and the others in the order of their coming', async () => {
  const { come, inside } = world(2);
  const [first, second] = [await come('a'), await come('b')];
  const waiting = [come('c'), come('d')];
  expect(inside).toEqual(['a', 'b']);
  second[Symbol.dispose]();
  // Given back once, whatever is said again.
  second[Symbol.dispose]();
  await waiting[0];
  expect(inside).toEqual(['a', 'b', 'c']);
  first[Symbol.dispose]();
  await waiting[1];
  expect(inside).toEqual(['a', 'b', 'c', 'd']);
});

test('who is stopped while waiting goes on without a place, and takes none', async () => {
  const { come, inside } = world(1);
  const first = await come('a');
  const stop = new AbortController();
  const stopped = come('b', stop.signal);
  const third = come('c');
  stop.abort();
  (await stopped)[Symbol.dispose]();
  expect(inside).toEqual(['a', 'b']);
  first[Symbol.dispose]();
  (await third)[Symbol.dispose]();
  expect(inside).toEqual(['a', 'b', 'c']);
  (await come('d'))[Symbol.dispose]();
});

test('takes a place back from those that do not come to an end', async () => {
  vi.useFakeTimers();
  try {
    const { come, inside } = world(1);
    const slow = await come('slow');
    const next = come('next');
    await vi.advanceTimersByTimeAsync(999);
    expect(inside).toEqual(['slow']);
    await vi.advanceTimersByTimeAsync(1);
    await next;
    // It has none to give back any more.
    slow[Symbol.dispose]();
    void come('third');
    await vi.advanceTimersByTimeAsync(999);
    expect(inside).toEqual(['slow', 'next']);
  } finally {
    vi.useRealTimers();
  }
});
