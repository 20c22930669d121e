import type { ClusterSpec } from '@etcd-ops/bus';
import { EtcdOpsError, isEtcdOpsError } from '@etcd-ops/core';
import { cronSchedule } from './cron-schedule.ts';
import { periodSchedule, type Schedule } from './schedule.ts';

/** Seconds are as fine as cron is; a year is as far as anybody plans. */
const PERIOD_MS_MIN = 1_000;
const PERIOD_MS_MAX = 366 * 86_400_000;
const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** The names of github.com/robfig/cron, which Go's tools take, and what they stand for. */
const NAMED: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

/**
 * A schedule as an operator writes it: five cron fields, or six with seconds first; `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`;
 * `@every 1h30m`. `CRON_TZ=Asia/Shanghai` (or `TZ=`) in front names the time zone, which else is `timezone`.
 *
 * `@every` ticks at whole multiples of the period since 1970, not since a start: every scheduler names the same ticks.
 * @throws EtcdOpsError CONFIG_INVALID saying what is wrong.
 */
export function parseSchedule(text: string, timezone = 'UTC'): Schedule {
  const [, zone = timezone, rest = ''] = /^\s*(?:(?:CRON_)?TZ=(\S*)\s+)?(.*?)\s*$/s.exec(text) ?? [];
  if (!isTimezone(zone)) throw invalid(text, `there is no time zone ${zone}`);
  if (!rest.startsWith('@')) return cronSchedule(rest, zone);
  const every = /^@every\s+(\S+)$/.exec(rest)?.[1];
  if (every !== undefined) return periodSchedule(parsePeriod(every, text));
  const expression = NAMED[rest];
  if (expression === undefined) throw invalid(text, `it is one of ${Object.keys(NAMED).join(', ')}, @every <duration>`);
  return cronSchedule(expression, zone);
}

interface Scheduled extends Pick<ClusterSpec, 'timezone'> {
  snapshots: Pick<ClusterSpec['snapshots'], 'schedule'>;
  defrag: Pick<ClusterSpec['defrag'], 'enabled' | 'schedule'>;
  proof: Pick<ClusterSpec['proof'], 'enabled' | 'schedule'>;
}

/** What is wrong with the schedules of a cluster, each with the path of its setting: nothing else tries them before their first tick. */
export function scheduleProblems({
  snapshots,
  defrag,
  proof,
  timezone,
}: Scheduled): { path: string[]; message: string }[] {
  const problems: { path: string[]; message: string }[] = [];
  const attempt = (path: string[], parse: () => unknown): void => {
    try {
      parse();
    } catch (error) {
      if (!isEtcdOpsError(error, 'CONFIG_INVALID')) throw error;
      problems.push({ path, message: error.message });
    }
  };
  if (!isTimezone(timezone)) {
    return [{ path: ['timezone'], message: `there is no time zone ${JSON.stringify(timezone)}` }];
  }
  attempt(['snapshots', 'schedule'], () => parseSchedule(snapshots.schedule, timezone));
  if (proof.enabled) attempt(['proof', 'schedule'], () => parseSchedule(proof.schedule, timezone));
  if (defrag.enabled) attempt(['defrag', 'schedule'], () => parseSchedule(defrag.schedule, timezone));
  return problems;
}

export function isTimezone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

function parsePeriod(written: string, text: string): number {
  const parts = [...written.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)];
  const whole = parts.map(([part]) => part).join('') === written;
  const periodMs = parts.reduce((sum, [, count, unit]) => sum + Number(count) * UNITS_MS[unit!]!, 0);
  if (!whole || !Number.isInteger(periodMs) || periodMs < PERIOD_MS_MIN || periodMs > PERIOD_MS_MAX) {
    throw invalid(text, 'after @every stands a duration from 1s to a year, as 30s, 20m or 1h30m');
  }
  return periodMs;
}

function invalid(text: string, reason: string): EtcdOpsError {
  return new EtcdOpsError('CONFIG_INVALID', { message: `${JSON.stringify(text)} is no schedule: ${reason}` });
}
