import { describeDuration, policyNameOf, retentionPolicyOf, type PolicySettings } from '@etcd-ops/core';

/** What a policy means, in a sentence or two. */
export function describePolicy(settings: PolicySettings): string {
  const { deltaRetention, windowMs, timeZone } = retentionPolicyOf(settings);
  const rules = Object.entries(describeSettings(settings)).map(([name, value]) => sayRule(name, value));
  const window = windowMs === 0 ? '' : ` Every moment of the last ${describeDuration(windowMs)} stays restorable.`;
  const deltas =
    deltaRetention === 'with-base'
      ? 'deltas stay as long as a kept full can use them'
      : `${windowMs === 0 ? '' : 'outside of that, '}only the newest full keeps its deltas`;
  return `Policy ${policyNameOf(settings)}${rules.length === 0 ? '' : `: ${rules.join(', ')}`} (time zone ${timeZone}).${window} ${deltas.charAt(0).toUpperCase()}${deltas.slice(1)}.`;
}

/** The settings that count, for programs. */
export function describeSettings(settings: PolicySettings): Record<string, number> {
  const { maxBackups, keepLast, keepHourly, keepDaily, keepWeekly, keepMonthly, keepYearly, keepWithinMs } = settings;
  const counted = policyNameOf(settings) === 'LimitBased' ? { maxBackups } : {};
  const rules = { keepLast, keepHourly, keepDaily, keepWeekly, keepMonthly, keepYearly, keepWithinMs };
  const given = Object.entries({ ...counted, ...rules }).filter(([, value]) => (value ?? 0) > 0);
  return Object.fromEntries(given) as Record<string, number>;
}

function sayRule(name: string, value: number): string {
  switch (name) {
    case 'keepWithinMs':
      return `fulls no older than ${describeDuration(value)}`;
    case 'maxBackups':
    case 'keepLast':
      return `the newest ${value} fulls`;
    default: {
      const period = { keepHourly: 'hours', keepDaily: 'days', keepWeekly: 'weeks', keepMonthly: 'months' }[name];
      return `the newest full of each of ${value} ${period ?? 'years'}`;
    }
  }
}
