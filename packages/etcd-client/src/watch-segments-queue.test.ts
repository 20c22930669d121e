import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SegmentQueue, type Segment } from './watch-segments-queue.ts';

const RESPONSE = {
  header: undefined,
  created: false,
  canceled: false,
  compactRevision: 0,
  cancelReason: '',
  fragment: false,
  eventCount: 1,
};

/** What etcd would send for a segment: one revision a byte, in runs of up to `batch`; more than asked for comes, too. */
function* responses(segment: Segment, head: number, batch: number) {
  for (let from = segment.first; from <= head; from += batch) {
    const lastMain = Math.min(from + batch - 1, head);
    yield {
      from,
      peek: { ...RESPONSE, watchId: segment.watchId, lastMain },
      message: Buffer.alloc(lastMain - from + 1),
    };
    if (lastMain >= segment.last) return;
  }
}

test('hands on every revision once and in order, and never holds more than its limit and one response', () => {
  fc.assert(
    fc.property(
      fc.record({
        head: fc.integer({ min: 1, max: 300 }),
        start: fc.integer({ min: 1, max: 50 }),
        segmentRevisions: fc.integer({ min: 1, max: 40 }),
        segmentsMax: fc.integer({ min: 1, max: 12 }),
        bytesMax: fc.integer({ min: 1, max: 120 }),
        tailRevisions: fc.integer({ min: 0, max: 60 }),
        batch: fc.integer({ min: 1, max: 50 }),
        choices: fc.infiniteStream(fc.nat(1_000)),
      }),
      ({ head, start, batch, choices, ...limits }) => {
        const queue = new SegmentQueue(start, head, limits);
        const live = new Map<number, ReturnType<typeof responses>>();
        let next = start;
        for (let step = 0; next <= head; step++) {
          if (step > 20_000) throw new Error(`stuck at ${next} of ${head}`);
          for (let opened = queue.open(); opened !== undefined; opened = queue.open()) {
            live.set(opened.watchId, responses(opened, head, batch));
          }
          expect(queue.openCount).toBeLessThanOrEqual(limits.segmentsMax);
          const ids = [...live.keys()];
          const id = ids[choices.next().value % ids.length]!;
          const sent = live.get(id)!.next();
          if (sent.done === true) live.delete(id);
          else for (const ended of queue.receive(sent.value.message, sent.value.peek)) live.delete(ended);
          for (let taken = queue.take(); taken !== undefined; taken = queue.take()) {
            if ('ended' in taken) throw new Error('nobody canceled');
            const { segment, message, peek } = taken;
            const from = Math.max(peek.lastMain - message.length + 1, segment.first);
            const to = Math.min(peek.lastMain, segment.last);
            if (to < from) continue;
            expect(from).toBe(next);
            next = to + 1;
          }
          expect(queue.waitingBytes).toBeLessThanOrEqual(limits.bytesMax + batch);
        }
        expect(next).toBe(Math.max(start, head + 1));
      },
    ),
    { numRuns: 300 },
  );
});
