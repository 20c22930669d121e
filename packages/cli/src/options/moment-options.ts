import type { OptionsOf } from './define-command.ts';
import { boolean, choice, count, duration, text, time } from './flag.ts';

/** Each names one moment; `others` are those that it excludes. */
const MOMENTS = ['revision', 'time', 'snapshot', 'before-delete', 'before-delete-prefix'] as const;
const others = (own: (typeof MOMENTS)[number]): string[] => MOMENTS.filter((name) => name !== own);

/** Which moment is restored. */
export const momentFlags = {
  revision: count({
    section: 'point',
    value: 'revision',
    conflicts: others('revision'),
    en: 'this revision',
    zh: '恢复到该 revision',
  }),
  time: time({
    section: 'point',
    conflicts: others('time'),
    en: 'the last revision surely not later than this time, as 2026-11-20T06:00:00Z',
    zh: '恢复到不晚于该时间的最后一个 revision，如 2026-11-20T06:00:00Z',
  }),
  snapshot: text({
    section: 'point',
    value: 'key',
    conflicts: others('snapshot'),
    en: 'this full snapshot, as `list` names it',
    zh: '恢复该全量备份（名称见 list）',
  }),
  beforeDelete: text({
    section: 'point',
    value: 'key',
    conflicts: others('before-delete'),
    widened: { by: 'prefix', to: 'before-delete-prefix' },
    en: 'the last revision at which this key lived, before its newest deletion; with a bare --prefix beside it, as --before-delete-prefix',
    zh: '恢复到该 key 最近一次被删除之前的最后一个 revision；另加不带值的 --prefix 时等同 --before-delete-prefix',
  }),
  beforeDeletePrefix: text({
    section: 'point',
    value: 'prefix',
    conflicts: others('before-delete-prefix'),
    en: 'the last revision before more than half of the keys with this prefix were deleted, the newest time that happened',
    zh: '恢复到该前缀下过半的 key 最近一次被删除之前的最后一个 revision',
  }),
  timeline: count({ section: 'point', value: 'number', en: 'choose among timelines', zh: '选择时间线' }),
  allowOlder: boolean({
    section: 'point',
    conflicts: MOMENTS,
    en: 'the newest that can be restored will do, where more was captured and cannot be: objects in between are missing or damaged',
    zh: '中间的备份缺失或损坏、较新的备份无法恢复时，允许恢复到仍可恢复的最新 revision',
  }),
};

/** What is changed in the restored state. */
export const changeFlags = {
  bumpRevision: count({
    section: 'change',
    value: 'revisions',
    conflicts: ['safe-bump'],
    en: 'raise the revision by so many, as etcdutl does; with --mark-compacted',
    zh: '将 revision 提高该数值，与 etcdutl 相同；需同时使用 --mark-compacted',
  }),
  markCompacted: boolean({
    section: 'change',
    en: 'all below the raised revision counts as compacted, so that watchers of another history begin anew',
    zh: '提高后的 revision 之前全部视为已压缩，使持有旧历史的 watch 重新开始',
  }),
  safeBump: boolean({
    section: 'change',
    conflicts: ['bump-revision'],
    en: 'raise it so far that no watcher of the old cluster can have passed it, by what was captured; marks it compacted, too',
    zh: '根据已备份的历史计算足够大的提高值，旧集群的任何 watch 都不可能超过；同时标记为已压缩',
  }),
  leases: choice(['renew', 'keep', 'drop'], {
    section: 'change',
    default: 'renew',
    en: 'renew: every lease has its whole TTL again; keep: what a checkpoint left it; drop: no leases, their keys stay for ever',
    zh: 'renew：每个租约重新获得完整 TTL；keep：保留 checkpoint 记录的剩余时间；drop：不保留租约，其 key 永不过期',
  }),
  leaseUnknownTtl: duration({
    section: 'change',
    defaultText: { en: '60s', zh: '60s' },
    en: 'TTL of a lease that a key needs and whose own nobody recorded',
    zh: '无人记录 TTL 的租约所用的 TTL',
  }),
  clearAlarms: boolean({
    section: 'change',
    en: 'leave alarms away: NOSPACE would keep the new cluster read-only',
    zh: '清除告警：NOSPACE 会使新集群只读',
  }),
};

export type MomentOptions = OptionsOf<typeof momentFlags>;
export type ChangeOptions = OptionsOf<typeof changeFlags>;
