/** One reason to keep fulls; of several rules each keeps its own, and a full stays when any wants it. Ends of periods are calendar ends. */
export type RetentionRule =
  /** All of them; then nothing at all is ever removed. */
  | { kind: 'always' }
  /** The newest so many, by timeline and revision: no clock is asked. */
  | { kind: 'last'; count: number }
  /** The newest full of each of the newest so many hours, days, ... that hold any. Weeks begin on Monday. */
  | { kind: 'each'; period: CalendarPeriod; count: number }
  /** Those that are at most so much older than the newest backup. */
  | { kind: 'within'; durationMs: number }
  /** As etcd-backup-restore thins out: hours of today, days of a week, weeks of a month (`exponential.ts`); in UTC. */
  | { kind: 'exponential' };

export const CALENDAR_PERIODS = ['hour', 'day', 'week', 'month', 'year'] as const;
export type CalendarPeriod = (typeof CALENDAR_PERIODS)[number];

/** How long deltas outside of the point-in-time window live. */
export const DELTA_RETENTIONS = ['with-base', 'newest-chain'] as const;
export type DeltaRetention = (typeof DELTA_RETENTIONS)[number];

export interface RetentionPolicy {
  rules: readonly RetentionRule[];
  /**
   * `with-base`: a delta lives as long as a kept full can use it, so every moment since the oldest kept full stays restorable.
   * `newest-chain`: only the newest full keeps its deltas: older moments are then restorable only where a full covers them.
   */
  deltaRetention: DeltaRetention;
  /** Every revision and every moment younger than this stays restorable, whatever the rules say. 0: no window. */
  windowMs: number;
  /** IANA name of the time zone in which hours, days, weeks, months and years are counted. */
  timeZone: string;
}

export const POLICY_NAMES = ['LimitBased', 'KeepAlways', 'Exponential', 'KeepRules'] as const;
export type PolicyName = (typeof POLICY_NAMES)[number];

/** A policy as people write it: flags and cluster specs. Counts of 0 are no rule. */
export interface PolicySettings {
  /** Without it: `KeepRules` when one of the rules is given, else `LimitBased`. */
  policy?: PolicyName;
  /** Of LimitBased. */
  maxBackups: number;
  keepLast?: number;
  keepHourly?: number;
  keepDaily?: number;
  keepWeekly?: number;
  keepMonthly?: number;
  keepYearly?: number;
  keepWithinMs?: number;
  pointInTimeWindowMs?: number;
  /** Without it: `newest-chain` when there is a window, else `with-base`. */
  deltaRetention?: DeltaRetention;
  timeZone?: string;
}

/** The name of the policy that settings mean. */
export function policyNameOf(settings: PolicySettings): PolicyName {
  return settings.policy ?? (keepRulesOf(settings).length > 0 ? 'KeepRules' : 'LimitBased');
}

/** What settings mean. The named policy and the rules are joined: a full stays when any of them wants it. */
export function retentionPolicyOf(settings: PolicySettings): RetentionPolicy {
  const windowMs = settings.pointInTimeWindowMs ?? 0;
  return {
    rules: [...namedRules(policyNameOf(settings), settings.maxBackups), ...keepRulesOf(settings)],
    deltaRetention: settings.deltaRetention ?? (windowMs > 0 ? 'newest-chain' : 'with-base'),
    windowMs,
    timeZone: settings.timeZone ?? 'UTC',
  };
}

function namedRules(name: PolicyName, maxBackups: number): RetentionRule[] {
  switch (name) {
    case 'KeepAlways':
      return [{ kind: 'always' }];
    case 'LimitBased':
      return [{ kind: 'last', count: maxBackups }];
    case 'Exponential':
      return [{ kind: 'exponential' }];
    case 'KeepRules':
      return [];
  }
}

/** The rules of the `keep...` settings alone. */
export function keepRulesOf(settings: PolicySettings): RetentionRule[] {
  const each: [CalendarPeriod, number | undefined][] = [
    ['hour', settings.keepHourly],
    ['day', settings.keepDaily],
    ['week', settings.keepWeekly],
    ['month', settings.keepMonthly],
    ['year', settings.keepYearly],
  ];
  const rules: RetentionRule[] = [];
  if ((settings.keepLast ?? 0) > 0) rules.push({ kind: 'last', count: settings.keepLast! });
  for (const [period, count = 0] of each) if (count > 0) rules.push({ kind: 'each', period, count });
  if ((settings.keepWithinMs ?? 0) > 0) rules.push({ kind: 'within', durationMs: settings.keepWithinMs! });
  return rules;
}

/** `the newest 240 fulls`, `the newest full of each of 7 days`: as reasons name a rule. */
export function describeRule(rule: RetentionRule): string {
  switch (rule.kind) {
    case 'always':
      return 'the policy keeps everything';
    case 'last':
      return `among the newest ${rule.count} fulls`;
    case 'each':
      return `the newest of its ${rule.period}, for ${rule.count} ${rule.period}s`;
    case 'within':
      return `younger than ${describeDuration(rule.durationMs)}`;
    case 'exponential':
      return 'exponential';
  }
}

const UNITS: readonly [string, number][] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
];

/** 90,000,000 -> `1d1h`. */
export function describeDuration(durationMs: number): string {
  let rest = durationMs;
  let text = '';
  for (const [unit, unitMs] of UNITS) {
    const count = Math.floor(rest / unitMs);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * unitMs;
  }
  return rest > 0 || text === '' ? `${text}${rest}ms` : text;
}
