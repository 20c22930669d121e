import { reachedMsOf } from '../repository/full-times.ts';
import type { FullEntry } from '../repository/inventory.ts';
import { Calendar } from './calendar.ts';
import { exponentialKeeps } from './exponential.ts';
import { describeRule, type RetentionPolicy, type RetentionRule } from './policy.ts';

/** The clocks of a plan. */
export interface RetentionClock {
  /** By the clock of whoever plans. */
  nowMs: number;
  /** What ages are counted to: the newest backup. */
  agingMs: number;
  /** Which day it is: `nowMs`, or a day after the newest backup if that is earlier. */
  calendarMs: number;
}

/**
 * Which fulls the rules of a policy want, with the reason of the first that does. A full whose time lies after now is kept
 * where a rule goes by time, and does not count: one wrong clock must not push out what is right.
 *
 * @param fulls of all timelines, by timeline, revision and time, as an inventory has them.
 */
export function wantedFulls(
  fulls: readonly FullEntry[],
  policy: RetentionPolicy,
  clock: RetentionClock,
): Map<string, string> {
  const wanted = new Map<string, string>();
  const calendar = new Calendar(policy.timeZone);
  const byTime = fulls.toSorted((left, right) => reachedMsOf(left) - reachedMsOf(right));
  for (const rule of policy.rules) {
    const reason = describeRule(rule);
    for (const { key } of chosenBy(rule, { fulls, byTime, calendar, clock })) {
      if (!wanted.has(key)) wanted.set(key, reason);
    }
  }
  if (policy.rules.some(({ kind }) => kind !== 'last' && kind !== 'always')) {
    for (const full of byTime) {
      const { key } = full;
      const isAhead = reachedMsOf(full) > clock.nowMs;
      if (isAhead && !wanted.has(key)) wanted.set(key, 'its time has not come yet: a clock is wrong');
    }
  }
  return wanted;
}

interface Candidates {
  fulls: readonly FullEntry[];
  byTime: readonly FullEntry[];
  calendar: Calendar;
  clock: RetentionClock;
}

function chosenBy(rule: RetentionRule, { fulls, byTime, calendar, clock }: Candidates): readonly FullEntry[] {
  switch (rule.kind) {
    case 'always':
      return fulls;
    case 'last':
      return fulls.slice(-Math.max(1, rule.count));
    case 'within':
      return byTime.filter((full) => clock.agingMs - reachedMsOf(full) <= rule.durationMs);
    case 'each': {
      const newest = new Map<number, FullEntry>();
      for (const full of byTime) {
        const reachedMs = reachedMsOf(full);
        if (reachedMs <= clock.nowMs) newest.set(calendar.numberOf(reachedMs, rule.period), full);
      }
      // Times ascend, and so do the numbers of their periods.
      return [...newest.values()].slice(-rule.count);
    }
    case 'exponential': {
      const past = byTime.filter((full) => reachedMsOf(full) <= clock.nowMs);
      const timesMs = past.map(reachedMsOf);
      const kept = exponentialKeeps(timesMs, clock.calendarMs);
      return past.filter((_, index) => kept.has(index));
    }
  }
}
