import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cronSchedule } from './cron-schedule.ts';

const at = (iso: string): number => Date.parse(iso);
const iso = (ms: number | undefined): string | undefined => (ms === undefined ? undefined : new Date(ms).toISOString());

describe('cronSchedule', () => {
  it.each([
    // expression, zone, moment, last tick, next tick
    ['*/20 * * * *', 'UTC', '2026-11-20T09:03:11.500Z', '2026-11-20T09:00:00.000Z', '2026-11-20T09:20:00.000Z'],
    ['*/20 * * * *', 'UTC', '2026-11-20T09:20:00.000Z', '2026-11-20T09:20:00.000Z', '2026-11-20T09:40:00.000Z'],
    ['*/20 * * * *', 'UTC', '2026-11-20T09:19:59.999Z', '2026-11-20T09:00:00.000Z', '2026-11-20T09:20:00.000Z'],
    ['*/5 * * * * *', 'UTC', '2026-11-20T09:03:11Z', '2026-11-20T09:03:10.000Z', '2026-11-20T09:03:15.000Z'],
    ['0 0 */3 * *', 'UTC', '2026-11-20T09:00:00Z', '2026-11-19T00:00:00.000Z', '2026-11-22T00:00:00.000Z'],
    ['0 0 29 2 *', 'UTC', '2026-11-20T09:00:00Z', '2024-02-29T00:00:00.000Z', '2028-02-29T00:00:00.000Z'],
    ['30 2 * * *', 'Europe/Berlin', '2026-01-15T12:00:00Z', '2026-01-15T01:30:00.000Z', '2026-01-16T01:30:00.000Z'],
    ['30 2 * * *', 'Europe/Berlin', '2026-07-15T12:00:00Z', '2026-07-15T00:30:00.000Z', '2026-07-16T00:30:00.000Z'],
    // The clocks go forward at 2:00 on 29 March 2026: that night has no 2:30.
    ['30 2 * * *', 'Europe/Berlin', '2026-03-28T12:00:00Z', '2026-03-28T01:30:00.000Z', '2026-03-30T00:30:00.000Z'],
    // They go back at 3:00 on 25 October 2026: that night has two.
    ['30 2 * * *', 'Europe/Berlin', '2026-10-25T00:45:00Z', '2026-10-25T00:30:00.000Z', '2026-10-25T01:30:00.000Z'],
    ['0 12 * * *', 'Asia/Kathmandu', '2026-01-15T12:00:00Z', '2026-01-15T06:15:00.000Z', '2026-01-16T06:15:00.000Z'],
    ['0 0 */7 2 1', 'UTC', '2027-02-22T00:00:00Z', '2027-02-22T00:00:00.000Z', '2038-02-01T00:00:00.000Z'],
    // Either the 13th or a Friday.
    ['0 0 13 * 5', 'UTC', '2026-11-14T00:00:00Z', '2026-11-13T00:00:00.000Z', '2026-11-20T00:00:00.000Z'],
    ['0 0 13 * 5', 'UTC', '2026-12-12T00:00:00Z', '2026-12-11T00:00:00.000Z', '2026-12-13T00:00:00.000Z'],
  ])('%s in %s at %s', (expression, zone, moment, last, next) => {
    const schedule = cronSchedule(expression, zone);
    expect(iso(schedule.last(at(moment)))).toBe(last);
    expect(iso(schedule.next(at(moment)))).toBe(next);
  });

  it.each(['', '* * * *', '61 * * * *', '* * * * * * *', 'hourly please', '0 25 * * *', '0 0 31 2 *'])(
    'refuses %j with CONFIG_INVALID',
    (expression) => {
      expect(() => cronSchedule(expression)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
    },
  );

  it('agrees with itself: what comes next was not there before, and is the last one when it is there', () => {
    const field = (max: number) =>
      fc.oneof(
        fc.constant('*'),
        fc.integer({ min: 0, max }).map(String),
        fc.integer({ min: 2, max: 20 }).map((step) => `*/${step}`),
      );
    const expression = fc
      .tuple(
        field(59),
        field(23),
        fc.constantFrom('*', '1', '15', '*/7'),
        fc.constantFrom('*', '2', '*/3'),
        fc.constantFrom('*', '1', '5', '6'),
      )
      .map((fields) => fields.join(' '));
    const zone = fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kolkata');
    const moment = fc.integer({ min: at('2024-01-01T00:00:00Z'), max: at('2030-01-01T00:00:00Z') });
    fc.assert(
      fc.property(expression, zone, moment, (text, timezone, momentMs) => {
        const schedule = cronSchedule(text, timezone);
        const next = schedule.next(momentMs);
        const last = schedule.last(momentMs);
        expect(next).toBeDefined();
        expect(next! > momentMs).toBe(true);
        expect(next! % 1_000).toBe(0);
        expect(schedule.last(next!)).toBe(next);
        expect(schedule.last(next! - 1)).toBe(last);
        if (last !== undefined) {
          expect(last <= momentMs).toBe(true);
          expect(schedule.next(last)).toBe(next);
        }
      }),
      { numRuns: 60 },
    );
  });
});
