import type { LastDone } from '@etcd-ops/bus';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  chainIsTooLong,
  copyIsDue,
  decideAtStart,
  decideDelta,
  gcIsDue,
  leavesWork,
  mergeIsDue,
  wantsThirdWitness,
} from './decisions.ts';
import { jitterMs } from './jitter.ts';

const sequence = fc.integer({ min: 0, max: 1_000 });
const moment = fc.option(fc.integer({ min: 0, max: 1_000 }), { nil: undefined });

describe('decideDelta', () => {
  it('asks for a delta exactly where the head has moved and it is time or much waits', () => {
    fc.assert(
      fc.property(sequence, sequence, fc.boolean(), sequence, (headSequence, recordedSequence, periodIsOver, bytes) => {
        const decision = decideDelta({ headSequence, recordedSequence, bytes }, { periodIsOver, bytesMax: 500 });
        // Below what is recorded: the server lost the tail of the stream, and what came since has its sequences.
        const hasMoved = headSequence > 0 && headSequence !== recordedSequence;
        const wanted = hasMoved && (periodIsOver || bytes >= 500);
        expect(decision.kind).toBe(wanted ? 'dispatch' : 'idle');
        if (decision.kind === 'dispatch') expect(decision.cutSequence).toBe(headSequence);
      }),
    );
  });

  it('names the period as the cause when both hold', () => {
    const state = { headSequence: 9, recordedSequence: 3, bytes: 1_000 };
    expect(decideDelta(state, { periodIsOver: true, bytesMax: 500 })).toMatchObject({ cause: 'period' });
    expect(decideDelta(state, { periodIsOver: false, bytesMax: 500 })).toMatchObject({ cause: 'bytes' });
  });
});

describe('decideAtStart', () => {
  it('leaves the first full of all to the watcher, which asks for it with the history that it begins', () => {
    expect(decideAtStart({ lastTickMs: 100, lastFullMs: undefined })).toEqual({ kind: 'wait' });
  });

  it('makes up for a missed tick once: a full that ended behind it settles it', () => {
    fc.assert(
      fc.property(moment, fc.integer({ min: 0, max: 1_000 }), (lastTickMs, lastFullMs) => {
        const decision = decideAtStart({ lastTickMs, lastFullMs });
        const missed = lastTickMs !== undefined && lastTickMs > lastFullMs;
        expect(decision).toEqual(
          missed ? { kind: 'dispatch', cause: 'schedule', tickMs: lastTickMs } : { kind: 'wait' },
        );
        expect(decideAtStart({ lastTickMs, lastFullMs: Math.max(lastFullMs, lastTickMs ?? 0) })).toEqual({
          kind: 'wait',
        });
      }),
    );
  });
});

describe('gcIsDue', () => {
  it('follows a new full, and looks for rests once in a while', () => {
    const options = { nowMs: 1_000, restsEveryMs: 600, leftAgainMs: 300 };
    expect(gcIsDue({ lastFullMs: undefined, lastGcMs: undefined }, options)).toBe(false);
    expect(gcIsDue({ lastFullMs: 10, lastGcMs: undefined }, options)).toBe(true);
    expect(gcIsDue({ lastFullMs: 900, lastGcMs: 800 }, options)).toBe(true);
    expect(gcIsDue({ lastFullMs: 700, lastGcMs: 800 }, options)).toBe(false);
    expect(gcIsDue({ lastFullMs: 100, lastGcMs: 400 }, options)).toBe(true);
  });

  it('comes back for what it had to leave, also without a new full', () => {
    const options = { nowMs: 1_000, restsEveryMs: 600, leftAgainMs: 300 };
    expect(gcIsDue({ lastFullMs: 100, lastGcMs: 700 }, options)).toBe(false);
    expect(gcIsDue({ lastFullMs: 100, lastGcMs: 700, leftWork: true }, options)).toBe(true);
    expect(gcIsDue({ lastFullMs: 100, lastGcMs: 701, leftWork: true }, options)).toBe(false);
  });

  it.each([
    [{ marked: { count: 2 }, waiting: 0, held: 0 }, true],
    [{ marked: { count: 0 }, waiting: 1, held: 0 }, true],
    [{ marked: { count: 0 }, waiting: 0, held: 1 }, true],
    [{ marked: { count: 0 }, waiting: 0, held: 0 }, false],
    [{ dryRun: true, marked: { count: 2 } }, false],
    [{ failure: { code: 'STORE_DENIED' } }, false],
    [{ marked: 'many', waiting: '1' }, false],
  ])('a collection that ended with %j leaves work: %s', (summary, expected) => {
    expect(leavesWork({ summary })).toBe(expected);
  });
});

describe('chainIsTooLong', () => {
  it('needs both limits passed, and a base', () => {
    const limits = { deltaBytesMin: 100, deltaRatio: 0.5 };
    expect(chainIsTooLong({ deltaBytes: 99, fullBytes: 10 }, limits)).toBe(false);
    expect(chainIsTooLong({ deltaBytes: 100, fullBytes: 10 }, limits)).toBe(true);
    expect(chainIsTooLong({ deltaBytes: 400, fullBytes: 1_000 }, limits)).toBe(false);
    expect(chainIsTooLong({ deltaBytes: 500, fullBytes: 1_000 }, limits)).toBe(true);
    expect(chainIsTooLong({ deltaBytes: 500, fullBytes: undefined }, limits)).toBe(false);
  });
});

describe('jitterMs', () => {
  it('is nothing for a lone cluster, and otherwise bounded, the same each time, and spread', () => {
    const options = { clusters: 500, jitterMsMax: 60_000, periodMs: 1_200_000 };
    expect(jitterMs('a', { ...options, clusters: 1 })).toBe(0);
    const places = Array.from({ length: 500 }, (_, index) => jitterMs(`cluster-${index}`, options));
    expect(Math.max(...places)).toBeLessThan(60_000);
    expect(Math.min(...places)).toBeGreaterThanOrEqual(0);
    for (let tenth = 0; tenth < 10; tenth++) {
      const inTenth = places.filter((place) => Math.floor(place / 6_000) === tenth).length;
      expect(inTenth).toBeGreaterThan(25);
    }
    expect(jitterMs('cluster-7', options)).toBe(places[7]);
    expect(jitterMs('cluster-7', { ...options, periodMs: 1_000 })).toBeLessThan(500);
  });
});

describe('wantsThirdWitness', () => {
  const full = (verdict: string | undefined, changes: object = {}) => ({
    ...{
      version: 1 as const,
      taskId: 't',
      kind: 'full',
      cluster: 'prod',
      cause: 'schedule',
      attempt: 1,
      ok: true,
      worker: 'w',
    },
    ...{ startedAt: '2026-11-20T09:00:00Z', finishedAt: '2026-11-20T09:00:01Z' },
    summary: verdict === undefined ? {} : { edge: { verdict } },
    ...changes,
  });

  it('asks after a failed edge, but not for the full that was asked for because of it', () => {
    expect(wantsThirdWitness(full('failed'))).toBe(true);
    expect(wantsThirdWitness(full('failed', { cause: 'proof' }))).toBe(false);
    expect(wantsThirdWitness(full('failed', { kind: 'delta' }))).toBe(false);
    for (const verdict of ['ok', 'open', undefined]) expect(wantsThirdWitness(full(verdict))).toBe(false);
  });
});

describe('copyIsDue', () => {
  const MINUTE = 60_000;
  const at = (minute: number): string => new Date(minute * MINUTE).toISOString();
  const copy = (minute: number, changes: object = {}) => ({
    ...{ version: 1 as const, taskId: 'x', tick: at(minute), finishedAt: at(minute), ok: true, summary: {} },
    ...changes,
  });
  const none = { lastFullMs: undefined, lastDeltaMs: undefined, lastMergeMs: undefined, lastCopy: undefined };
  const due = (state: object, nowMinute: number): boolean =>
    copyIsDue(
      { ...none, ...state },
      { nowMs: nowMinute * MINUTE, restsEveryMs: 360 * MINUTE, leftAgainMs: 15 * MINUTE },
    );

  it('waits for a first full, and then copies at once', () => {
    expect(due({}, 100)).toBe(false);
    expect(due({ lastFullMs: MINUTE }, 100)).toBe(true);
  });

  it('asks when anything came since the last good copy was scheduled, allowing for clocks that are apart', () => {
    const lastFullMs = 10 * MINUTE;
    expect(due({ lastFullMs, lastCopy: copy(11) }, 12)).toBe(false);
    expect(due({ lastFullMs, lastDeltaMs: 12 * MINUTE, lastCopy: copy(11) }, 13)).toBe(true);
    expect(due({ lastFullMs, lastMergeMs: 12 * MINUTE, lastCopy: copy(11) }, 13)).toBe(true);
    expect(due({ lastFullMs, lastDeltaMs: 11 * MINUTE - 10_000, lastCopy: copy(11) }, 13)).toBe(true);
  });

  it('asks again after a failure, however old what it lacks is', () => {
    expect(due({ lastFullMs: MINUTE, lastCopy: copy(50, { ok: false }) }, 51)).toBe(true);
  });

  it('comes back for what its retention had to leave, and now and then for nothing', () => {
    const marked = copy(11, { summary: { retention: { marked: { count: 2 }, waiting: 0, held: 0 } } });
    expect(due({ lastFullMs: MINUTE, lastCopy: marked }, 20)).toBe(false);
    expect(due({ lastFullMs: MINUTE, lastCopy: marked }, 26)).toBe(true);
    expect(due({ lastFullMs: MINUTE, lastCopy: copy(11) }, 26)).toBe(false);
    expect(due({ lastFullMs: MINUTE, lastCopy: copy(11) }, 371)).toBe(true);
  });
});

describe('mergeIsDue', () => {
  const at = (time: string): number => Date.parse(`2026-11-20T${time}Z`);
  const windows = { windowsMs: [300_000, 3_600_000], settleMs: 600_000, restsEveryMs: 6 * 3_600_000 };
  const merged = (time: string, more: Partial<LastDone> = {}): LastDone => ({
    version: 1,
    taskId: 'merge',
    tick: new Date(at(time)).toISOString(),
    finishedAt: new Date(at(time)).toISOString(),
    ok: true,
    summary: {},
    ...more,
  });
  const isDue = (lastStored: string | undefined, lastMerge: LastDone | undefined, now: string): boolean =>
    mergeIsDue(
      { lastStoredMs: lastStored === undefined ? undefined : at(lastStored), lastMerge },
      { nowMs: at(now), ...windows },
    );

  it('is when a window with deltas has been over for the time that it is left alone', () => {
    expect(isDue('09:04:00', merged('09:10:00'), '09:14:59')).toBe(false);
    expect(isDue('09:04:00', merged('09:10:00'), '09:15:00')).toBe(true);
    expect(isDue('09:14:59', merged('09:10:00'), '09:15:00')).toBe(true);
  });

  it('is no more once the windows of the last delta are merged, of each length', () => {
    expect(isDue('09:04:00', merged('09:15:00'), '09:20:00')).toBe(false);
    expect(isDue('09:04:00', merged('09:15:00'), '10:09:59')).toBe(false);
    expect(isDue('09:04:00', merged('09:15:00'), '10:10:00')).toBe(true);
    expect(isDue('09:04:00', merged('10:10:00'), '14:00:00')).toBe(false);
  });

  it('is each time while deltas come, and at the end of each smallest window only', () => {
    expect(isDue('10:00:00', merged('09:55:00'), '10:00:00')).toBe(true);
    expect(isDue('10:01:00', merged('10:00:00'), '10:01:00')).toBe(false);
  });

  it('is where nothing is known, after a failure, where windows were left, and now and then', () => {
    expect(isDue(undefined, undefined, '09:00:00')).toBe(true);
    expect(isDue(undefined, merged('08:00:00'), '09:00:00')).toBe(false);
    expect(isDue(undefined, merged('08:00:00', { ok: false }), '09:00:00')).toBe(true);
    expect(isDue(undefined, merged('08:00:00', { summary: { skipped: 1 } }), '09:00:00')).toBe(true);
    expect(isDue(undefined, merged('08:00:00'), '14:00:00')).toBe(true);
  });
});
