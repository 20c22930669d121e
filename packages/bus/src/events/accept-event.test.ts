import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CLUSTER_ID, checkContiguous, rowsEvent, startEvent } from '../testing/rows.ts';
import { acceptEvent, type Expectation } from './accept-event.ts';
import { EventAssembler, type EventRead } from './event-assembler.ts';
import { encodeHeaders, encodePayload } from './event-codec.ts';
import { headersOf, type EventHeaders, type EventMessage } from './event-message.ts';
import type { Skipped, StoredEvent } from './part-joiner.ts';

const EPOCH = '0'.repeat(32);
const at = (revision: number): Expectation => ({ timeline: 1, clusterId: CLUSTER_ID, revision });
const headers = (message: EventMessage): EventHeaders => headersOf(message, EPOCH, 0, 1);

describe('acceptEvent', () => {
  test('rows that begin at the revision expected go on from it', () => {
    expect(acceptEvent(at(5), headers(rowsEvent(5, 8)))).toEqual({ verdict: 'accept', keepFrom: 5, next: at(9) });
  });

  test('an overlap is clipped', () => {
    expect(acceptEvent(at(7), headers(rowsEvent(5, 8)))).toEqual({ verdict: 'accept', keepFrom: 7, next: at(9) });
  });

  test('rows that are all known are skipped, but not what was learned of leases with them', () => {
    expect(acceptEvent(at(9), headers(rowsEvent(5, 8)))).toEqual({ verdict: 'skip', reason: 'overlap' });
    const leases = [{ id: 1n, grantedTtlSeconds: 5, askedAtRevision: 8, source: 'ttl' as const }];
    expect(acceptEvent(at(9), headers(rowsEvent(5, 8, { leases })))).toEqual({
      verdict: 'accept',
      keepFrom: 9,
      next: at(9),
    });
    expect(acceptEvent(at(9), headers(rowsEvent(9, 8, { leases })))).toEqual({
      verdict: 'accept',
      keepFrom: 9,
      next: at(9),
    });
  });

  test('nothing behind a hole counts', () => {
    expect(acceptEvent(at(5), headers(rowsEvent(6, 8)))).toEqual({ verdict: 'skip', reason: 'beyond' });
  });

  test('nothing of another cluster or timeline counts', () => {
    const foreign = { ...rowsEvent(5, 8), clusterId: 1n };
    expect(acceptEvent(at(5), headers(foreign))).toEqual({ verdict: 'skip', reason: 'foreign-cluster' });
    expect(acceptEvent(at(5), headers(rowsEvent(5, 8, { timeline: 2 })))).toEqual({
      verdict: 'skip',
      reason: 'foreign-timeline',
    });
  });

  test('a start sets what is expected, and tells whether anything is missing before it', () => {
    const fork = startEvent(3, { timeline: 2, cause: 'fork', after: 4 });
    expect(acceptEvent(at(5), headers(fork))).toEqual({
      verdict: 'reset',
      contiguous: false,
      next: { ...at(4), timeline: 2 },
    });
    const gap = startEvent(90, { cause: 'gap', after: 4, compacted: 90 });
    expect(acceptEvent(at(5), headers(gap))).toEqual({ verdict: 'reset', contiguous: false, next: at(91) });
    const resume = startEvent(4, { cause: 'resume' });
    expect(acceptEvent(at(5), headers(resume))).toEqual({ verdict: 'reset', contiguous: true, next: at(5) });
  });

  test('a catch-up moves on without a hole, if its rows began where the reader stands', () => {
    const caughtUp = headers(startEvent(90, { cause: 'caught-up', after: 4 }));
    expect(acceptEvent(at(5), caughtUp)).toEqual({ verdict: 'reset', contiguous: true, next: at(91) });
    expect(acceptEvent(at(7), caughtUp)).toEqual({ verdict: 'reset', contiguous: true, next: at(91) });
    expect(acceptEvent(at(4), caughtUp)).toEqual({ verdict: 'reset', contiguous: false, next: at(91) });
  });

  test('a start never leads back to an older timeline, nor to another cluster within one', () => {
    const expected = { ...at(5), timeline: 2 };
    expect(acceptEvent(expected, headers(startEvent(9)))).toEqual({ verdict: 'skip', reason: 'foreign-timeline' });
    expect(acceptEvent(at(5), headers(startEvent(4, { clusterId: 7n })))).toEqual({
      verdict: 'skip',
      reason: 'foreign-cluster',
    });
  });

  test('who knows nothing believes the first message', () => {
    expect(acceptEvent(undefined, headers(rowsEvent(5, 8)))).toEqual({ verdict: 'accept', keepFrom: 5, next: at(9) });
    expect(acceptEvent(undefined, headers(startEvent(8)))).toEqual({
      verdict: 'reset',
      contiguous: false,
      next: at(9),
    });
  });
});

/** The parts of a message as a writer of that epoch stores them. */
function partsOf(message: EventMessage, epoch: number, parts: number): Omit<StoredEvent, 'sequence'>[] {
  const payload = encodePayload(message);
  const size = Math.max(1, Math.ceil(payload.length / parts));
  const facts = headersOf(message, epoch.toString(16).padStart(32, '0'), payload.length, parts);
  return Array.from({ length: parts }, (_, index) => ({
    headers: encodeHeaders({ ...facts, part: index + 1 }),
    payload: payload.subarray(index * size, (index + 1) * size),
  }));
}

function read(stored: readonly Omit<StoredEvent, 'sequence'>[], expected?: Expectation) {
  const assembler = new EventAssembler(expected);
  const events: EventRead[] = [];
  const skipped: Skipped[] = [];
  stored.forEach((one, index) => {
    const answer = assembler.push({ ...one, sequence: index + 1 });
    if (answer.event !== undefined) events.push(answer.event);
    skipped.push(...answer.skipped);
  });
  return { events, skipped, expected: assembler.expected };
}

describe('EventAssembler', () => {
  const message = fc.record({
    first: fc.integer({ min: 1, max: 60 }),
    length: fc.integer({ min: 1, max: 20 }),
    epoch: fc.integer({ min: 1, max: 3 }),
    parts: fc.integer({ min: 1, max: 4 }),
    stored: fc.integer({ min: 1, max: 4 }),
    foreign: fc.integer({ min: 0, max: 9 }),
  });

  test('whatever writers left in a stream, what counts is contiguous and each revision comes once', () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 40 }), (messages) => {
        const stored = messages.flatMap(({ first, length, epoch, parts, stored: kept, foreign }) => {
          const event = rowsEvent(first, first + length - 1);
          return partsOf(foreign === 0 ? { ...event, clusterId: 9n } : event, epoch, parts).slice(0, kept);
        });
        const { events } = read([...partsOf(startEvent(0), 7, 1), ...stored]);
        checkContiguous(events);
      }),
    );
  });

  test('the parts of older writers between those of the last one lose nothing that it stored', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            length: fc.integer({ min: 1, max: 5 }),
            parts: fc.integer({ min: 1, max: 3 }),
            noise: fc.option(message),
          }),
          { maxLength: 20 },
        ),
        (batches) => {
          const stored = partsOf(startEvent(0), 9, 1);
          let next = 1;
          for (const { length, parts, noise } of batches) {
            // The rest of an older writer: a message that begins at or below what is known, perhaps without its end.
            if (noise !== null) {
              const first = Math.max(1, Math.min(noise.first, next));
              stored.push(
                ...partsOf(rowsEvent(first, Math.max(first, next - 1)), noise.epoch, noise.parts).slice(
                  0,
                  noise.stored,
                ),
              );
            }
            stored.push(...partsOf(rowsEvent(next, next + length - 1), 9, parts));
            next += length;
          }
          const { events } = read(stored);
          // The noise may even have brought rows forward; none may be missing at the end.
          expect(checkContiguous(events).last).toBeGreaterThanOrEqual(next - 1);
        },
      ),
    );
  });

  test('a group whose parts are numbered wrongly never counts', () => {
    const [one, two, three] = partsOf(rowsEvent(1, 9), 1, 3);
    for (const order of [
      [one!, three!, two!],
      [one!, two!],
      [two!, three!],
      [one!, one!, two!, three!, three!],
    ]) {
      const { events, skipped } = read([...partsOf(startEvent(0), 1, 1), ...order]);
      const whole = order.length === 5;
      expect(events).toHaveLength(whole ? 2 : 1);
      expect(skipped.every(({ reason }) => reason === 'incomplete')).toBe(true);
    }
  });

  test('the parts of two writers never make one message', () => {
    const [one] = partsOf(rowsEvent(1, 9), 1, 2);
    const [, two] = partsOf(rowsEvent(1, 9), 2, 2);
    const { events, skipped } = read([...partsOf(startEvent(0), 1, 1), one!, two!]);
    expect(events).toHaveLength(1);
    expect(skipped).toEqual([{ reason: 'incomplete', firstSequence: 2, lastSequence: 3 }]);
  });

  test('damage is named and does not stop the reader', () => {
    const good = partsOf(rowsEvent(1, 4), 1, 1)[0]!;
    const damaged = {
      ...good,
      payload: Buffer.concat([good.payload!.subarray(0, 30), Buffer.alloc(good.payload!.length - 30)]),
    };
    const { events, skipped } = read([
      ...partsOf(startEvent(0), 1, 1),
      damaged,
      { headers: undefined, payload: Buffer.alloc(3) },
      good,
    ]);
    expect(skipped.map(({ reason }) => reason)).toEqual(['invalid', 'invalid']);
    expect(checkContiguous(events)).toEqual({ first: 1, last: 4 });
  });

  test('a hole inside the rows of a message is damage', () => {
    const holed = { ...rowsEvent(1, 3), last: 9 };
    const { events, skipped } = read([...partsOf(startEvent(0), 1, 1), ...partsOf(holed, 1, 1)]);
    expect(events).toHaveLength(1);
    expect(skipped[0]?.reason).toBe('invalid');
  });

  test('a clipped message keeps its digest, one with nothing left but leases has none', () => {
    const leases = [{ id: 1n, grantedTtlSeconds: 5, askedAtRevision: 8, source: 'ttl' as const }];
    const { events } = read([...partsOf(rowsEvent(1, 9, { leases }), 1, 1)], at(5));
    expect(events[0]).toMatchObject({ first: 5, last: 9, digest: rowsEvent(1, 9).digest, leases });
    const { events: later, expected } = read([...partsOf(rowsEvent(1, 9, { leases }), 1, 1)], at(12));
    expect(later[0]).toMatchObject({ first: 12, last: 11, digest: null, leases });
    expect(expected).toEqual(at(12));
  });
});
