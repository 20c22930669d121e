import type { ClusterSpecInput } from '@etcd-ops/bus';
import type { OptionsOf } from './define-command.ts';
import { choice, count, duration, text } from './flag.ts';

// The names of the core's policies, written once more: help and completion do without loading the core.
const POLICIES = ['LimitBased', 'KeepAlways', 'Exponential', 'KeepRules'] as const;
const DELTA_RULES = ['with-base', 'newest-chain'] as const;

function keep(period: { en: string; zh: string }) {
  return count({
    section: 'retention',
    en: `keep the newest full of each of so many ${period.en} that have one`,
    zh: `保留最近若干个有备份的${period.zh}中每${period.zh}最新的一份全量备份`,
  });
}

/** What is kept: of the daemon and of `gc`. */
export const retentionFlags = {
  garbageCollectionPolicy: choice(POLICIES, {
    section: 'retention',
    value: 'policy',
    defaultText: {
      en: 'LimitBased; with a --keep-... flag KeepRules: those alone',
      zh: 'LimitBased；指定 --keep-... 时为 KeepRules，仅按这些规则',
    },
    en: 'which fulls are kept; those that a --keep-... flag wants are kept with each policy',
    zh: '全量备份保留策略；任何 --keep-... 规则要求保留的也会保留',
  }),
  maxBackups: count({
    section: 'retention',
    default: 240,
    en: 'how many fulls LimitBased keeps',
    zh: 'LimitBased 最多保留多少份全量备份',
  }),
  keepLast: count({ section: 'retention', en: 'keep so many of the newest fulls', zh: '保留最新的若干份全量备份' }),
  keepHourly: keep({ en: 'hours', zh: '小时' }),
  keepDaily: keep({ en: 'days', zh: '天' }),
  keepWeekly: keep({ en: 'weeks, from Monday', zh: '周' }),
  keepMonthly: keep({ en: 'months', zh: '月' }),
  keepYearly: keep({ en: 'years', zh: '年' }),
  keepWithin: duration({
    section: 'retention',
    en: 'keep fulls that are no older than this, as 72h or 30d',
    zh: '保留不早于该时长的全量备份，如 72h、30d',
  }),
  pointInTimeWindow: duration({
    section: 'retention',
    aliases: ['delta-snapshot-retention-period'],
    en: 'keep every delta and what it needs for so long: every revision and time within stays restorable',
    zh: '在该时长内保留所有增量备份及其所需的全量备份：其间任意 revision 与时间均可恢复',
  }),
  deltaRetention: choice(DELTA_RULES, {
    section: 'retention',
    value: 'rule',
    defaultText: {
      en: 'with-base; with a --point-in-time-window newest-chain',
      zh: 'with-base；指定 --point-in-time-window 时为 newest-chain',
    },
    en: 'deltas outside of the window: with-base as long as a kept full can use them, newest-chain only those of the newest full',
    zh: '窗口之外的增量备份：with-base 与所依赖的全量备份同存亡，newest-chain 仅保留最新全量备份的增量',
  }),
  garbageCollectionGrace: duration({
    section: 'retention',
    default: '15m',
    en: 'from marking a backup for removal to removing it; a restore that cannot write to the store has so long',
    zh: '从标记到真正删除的间隔；无法写入存储的恢复任务须在此时间内完成',
  }),
};

export type RetentionFlagOptions = OptionsOf<typeof retentionFlags>;

/** The flags as a cluster spec has them. */
export function retentionSpec(options: RetentionFlagOptions): NonNullable<ClusterSpecInput['retention']> {
  const fields = {
    policy: options.garbageCollectionPolicy,
    maxBackups: options.maxBackups,
    keepLast: options.keepLast,
    keepHourly: options.keepHourly,
    keepDaily: options.keepDaily,
    keepWeekly: options.keepWeekly,
    keepMonthly: options.keepMonthly,
    keepYearly: options.keepYearly,
    keepWithinMs: options.keepWithin,
    pointInTimeWindowMs: options.pointInTimeWindow,
    deltaRetention: options.deltaRetention,
    graceMs: options.garbageCollectionGrace,
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** Which flag each field of the spec comes from. */
export const FLAGS_OF_RETENTION: Readonly<Record<string, string>> = {
  'retention.policy': '--garbage-collection-policy',
  'retention.maxBackups': '--max-backups',
  'retention.keepLast': '--keep-last',
  'retention.keepHourly': '--keep-hourly',
  'retention.keepDaily': '--keep-daily',
  'retention.keepWeekly': '--keep-weekly',
  'retention.keepMonthly': '--keep-monthly',
  'retention.keepYearly': '--keep-yearly',
  'retention.keepWithinMs': '--keep-within',
  'retention.pointInTimeWindowMs': '--point-in-time-window',
  'retention.graceMs': '--garbage-collection-grace',
};

/** In which time zone hours to years are counted: of commands that have no schedule. */
export const retentionZoneFlag = {
  timezone: text({
    section: 'retention',
    value: 'zone',
    defaultText: { en: "that of the cluster's configuration, else UTC", zh: '集群配置中的时区，否则为 UTC' },
    en: 'time zone in which hours, days, weeks, months and years are counted, as Asia/Shanghai',
    zh: '按哪个时区计算小时、天、周、月、年，如 Asia/Shanghai',
  }),
};
