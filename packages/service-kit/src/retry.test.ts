import { EtcdOpsError } from '@etcd-ops/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ManualClock } from './manual-clock.ts';
import { retry, retryDelayMs } from './retry.ts';

const unreachable = (): EtcdOpsError => new EtcdOpsError('ETCD_UNREACHABLE', { message: 'gone' });

describe('retry', () => {
  it('tries a retriable failure again, with growing waits, and answers the first success', async () => {
    const clock = new ManualClock();
    const delays: number[] = [];
    const result = retry(
      async (_signal, attempt) => {
        if (attempt < 4) throw unreachable();
        return attempt;
      },
      { clock, random: () => 1, delayMs: 100, onRetry: ({ delayMs }) => delays.push(delayMs) },
    );
    await clock.advance(10_000);
    expect(await result).toBe(4);
    expect(delays).toEqual([100, 200, 400]);
  });

  it('throws at once what no retry can cure', async () => {
    let attempts = 0;
    const failing = (error: Error) =>
      retry(() => Promise.reject(((attempts += 1), error)), { clock: new ManualClock() });
    await expect(failing(new EtcdOpsError('ETCD_AUTH', { message: 'no' }))).rejects.toMatchObject({
      code: 'ETCD_AUTH',
    });
    await expect(failing(new TypeError('a bug'))).rejects.toThrow('a bug');
    expect(attempts).toBe(2);
  });

  it('begins no attempt behind the deadline, and throws the last error', async () => {
    const clock = new ManualClock();
    const startedAt: number[] = [];
    const result = retry(() => Promise.reject((startedAt.push(clock.now()), unreachable())), {
      clock,
      deadlineMs: 1_000,
      delayMs: 300,
      random: () => 1,
    });
    const outcome = expect(result).rejects.toMatchObject({ code: 'ETCD_UNREACHABLE' });
    await clock.advance(5_000);
    await outcome;
    expect(startedAt).toEqual([0, 300, 900]);
  });

  it('repeats also what takes longer than the deadline by itself: that is counted from the first failure', async () => {
    const clock = new ManualClock();
    let attempts = 0;
    const result = retry(
      async () => {
        await clock.sleep(5_000);
        if (++attempts < 2) throw unreachable();
        return 'done';
      },
      { clock, deadlineMs: 1_000 },
    );
    await clock.advance(20_000);
    expect(await result).toBe('done');
  });

  it('ends a wait as soon as the signal is aborted', async () => {
    const clock = new ManualClock();
    const stop = new AbortController();
    const result = retry(() => Promise.reject(unreachable()), { clock, signal: stop.signal });
    const outcome = expect(result).rejects.toMatchObject({ code: 'CANCELLED' });
    await clock.advance(0);
    expect(clock.sleeping).toBe(1);
    stop.abort();
    await outcome;
    expect(clock.sleeping).toBe(0);
  });

  it('gives up after attemptsMax', async () => {
    const clock = new ManualClock();
    let attempts = 0;
    const result = retry(() => Promise.reject(((attempts += 1), unreachable())), { clock, attemptsMax: 3 });
    const outcome = expect(result).rejects.toMatchObject({ code: 'ETCD_UNREACHABLE' });
    await clock.advance(60_000);
    await outcome;
    expect(attempts).toBe(3);
  });

  it('keeps every wait between half and all of its step, and below its limit', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000 }), fc.double({ min: 0, max: 1, noNaN: true }), (attempt, luck) => {
        const delayMs = retryDelayMs(attempt, { delayMs: 50, delayMsMax: 4_000, random: () => luck });
        const step = Math.min(4_000, 50 * 2 ** Math.min(attempt - 1, 30));
        expect(delayMs).toBeGreaterThanOrEqual(Math.floor(step / 2));
        expect(delayMs).toBeLessThanOrEqual(step);
      }),
    );
  });
});
