import { boolean, bytes, choice, duration, text } from './flag.ts';

/** When what is done to a cluster: of `snapshot` and `cluster add`. */
export const scheduleFlags = {
  schedule: text({
    section: 'schedule',
    value: 'cron',
    default: '*/20 * * * *',
    en: 'when full snapshots are taken: five cron fields, or six with seconds first, @hourly, @daily, ..., @every 20m',
    zh: '全量备份周期策略：5 段 cron（或带秒的 6 段）、@hourly、@daily、@every 20m 等',
  }),
  deltaSnapshotPeriod: duration({
    section: 'schedule',
    default: '10s',
    en: 'how often waiting changes become a delta; 0 turns deltas off',
    zh: '增量备份间隔；0 表示关闭增量备份',
  }),
  deltaSnapshotMemoryLimit: bytes({
    section: 'schedule',
    default: 10_485_760,
    en: 'a delta is made early when this much waits',
    zh: '待写入的变更达到该大小时提前生成增量备份',
  }),
  defragSchedule: text({
    section: 'schedule',
    value: 'cron',
    aliases: ['defragmentation-schedule'],
    default: '0 0 */3 * *',
    en: "when members are defragmented; 'never' turns it off",
    zh: 'etcd 碎片整理周期策略；never 表示关闭',
  }),
  proofSchedule: text({
    section: 'schedule',
    value: 'cron',
    default: '17 3 * * *',
    en: "when the newest chains are rebuilt in scratch space and compared with what the cluster held; 'never' turns it off",
    zh: '在临时目录重建最新的备份链并与集群内容比较的周期；never 表示关闭',
  }),
  clusterWitnesses: choice(['follower', 'free', 'off'], {
    section: 'schedule',
    default: 'follower',
    en: 'what members are asked for, to prove backups by: free: only hashes that a compaction has left (etcd 3.5.5); follower: where there are none, a follower of three or more may hash its rows, at most once an hour; off: nothing',
    zh: '为证明备份向成员询问什么：free：仅压缩留下的哈希（etcd 3.5.5 起）；follower：没有时可由三成员以上集群的一个 follower 计算，每小时至多一次；off：不询问',
  }),
  mergeDeltas: boolean({
    section: 'schedule',
    default: true,
    en: 'merge the small deltas of five minutes, an hour, a day into larger ones',
    zh: '将 5 分钟、1 小时、1 天内的小增量备份合并为大的',
  }),
  timezone: text({
    section: 'schedule',
    value: 'zone',
    defaultText: { en: "the host's", zh: '本机时区' },
    en: 'time zone of both schedules and of the --keep-... flags, as Asia/Shanghai; a schedule may name its own: "CRON_TZ=UTC 0 3 * * *"',
    zh: '两个周期与 --keep-... 规则的时区，如 Asia/Shanghai；周期中也可自带："CRON_TZ=UTC 0 3 * * *"',
  }),
};

export const gcPeriodFlag = {
  garbageCollectionPeriod: duration({
    section: 'retention',
    default: '1m',
    en: 'how often it is looked whether old backups are to be removed; they are after a new full, and once the grace period of what was marked is over',
    zh: '检查是否需要清理备份的周期；实际清理在新的全量备份之后，以及已标记对象的宽限期结束后进行',
  }),
};
