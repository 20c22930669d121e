import { ManualClock } from '@etcd-ops/service-kit';
import { describe, expect, it } from 'vitest';
import { cronSchedule } from './cron-schedule.ts';
import { dueTick, periodSchedule } from './schedule.ts';
import { ticks, type TicksOptions } from './ticks.ts';

function follow(options: Partial<TicksOptions> & { clock: ManualClock }, schedule = periodSchedule(1_000)) {
  const stop = new AbortController();
  const seen: { tick: number; at: number }[] = [];
  const ended = (async () => {
    for await (const tick of ticks(schedule, { afterMs: options.clock.now(), signal: stop.signal, ...options })) {
      seen.push({ tick, at: options.clock.now() });
    }
  })();
  return { seen, stop, ended };
}

describe('ticks', () => {
  it('gives each tick when it is due, after its delay, and ends with the signal', async () => {
    const clock = new ManualClock(500);
    const { seen, stop, ended } = follow({ clock, delayMs: () => 200 });
    await clock.advance(2_600);
    expect(seen).toEqual([
      { tick: 1_000, at: 1_200 },
      { tick: 2_000, at: 2_200 },
    ]);
    stop.abort();
    await ended;
  });

  it('merges missed ticks into the newest', async () => {
    const clock = new ManualClock(10_300);
    const { seen, stop, ended } = follow({ clock, afterMs: 2_000 });
    await clock.advance(800);
    expect(seen.map(({ tick }) => tick)).toEqual([10_000, 11_000]);
    stop.abort();
    await ended;
  });

  it('goes on after the clock was set back by an hour, and gives no tick twice for a small step', async () => {
    const clock = new ManualClock(7_200_000);
    const { seen, stop, ended } = follow({ clock }, periodSchedule(60_000));
    await clock.advance(60_000);
    clock.step(-30_000);
    await clock.advance(60_000);
    expect(seen.splice(0).map(({ tick }) => tick)).toEqual([7_260_000]);
    clock.step(-3_600_000);
    await clock.advance(120_000);
    expect(seen.map(({ tick }) => tick)).toEqual([3_720_000, 3_780_000]);
    stop.abort();
    await ended;
  });

  it('is the same for two schedulers whose clocks and starts differ', async () => {
    const schedule = cronSchedule('*/20 * * * *');
    const start = Date.parse('2026-11-20T09:03:00Z');
    const clocks = [new ManualClock(start), new ManualClock(start + 1_700)];
    const runs = clocks.map((clock) => follow({ clock }, schedule));
    for (const clock of clocks) await clock.advance(3_600_000);
    expect(runs[0]!.seen.map(({ tick }) => tick)).toEqual(runs[1]!.seen.map(({ tick }) => tick));
    expect(runs[0]!.seen).toHaveLength(3);
    for (const { stop, ended } of runs) {
      stop.abort();
      await ended;
    }
  });

  it('ends when the schedule has no more ticks', async () => {
    const { ended } = follow({ clock: new ManualClock(0) }, { next: () => undefined, last: () => undefined });
    await ended;
  });
});

it('dueTick gives the newest tick inside the interval', () => {
  const schedule = periodSchedule(10);
  expect(dueTick(schedule, 0, 35)).toBe(30);
  expect(dueTick(schedule, 30, 35)).toBeUndefined();
  expect(dueTick(schedule, 29, 30)).toBe(30);
});
