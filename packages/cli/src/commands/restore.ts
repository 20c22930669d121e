import { defineCommand } from '../options/define-command.ts';
import { boolean, choice, count, directory, list, text, time } from '../options/flag.ts';
import { outputFlags, progressFlags } from '../options/general-flags.ts';
import { repositoryFlags } from '../options/repository-options.ts';
import { chunkFlags, embeddedEtcdFlags, serviceEndpointFlags } from '../options/unneeded-flags.ts';

const pointFlags = {
  revision: count({
    section: 'point',
    value: 'revision',
    conflicts: ['time', 'snapshot'],
    en: 'this revision',
    zh: '恢复到该 revision',
  }),
  time: time({
    section: 'point',
    conflicts: ['revision', 'snapshot'],
    en: 'the last revision surely not later than this time, as 2026-11-20T06:00:00Z',
    zh: '恢复到不晚于该时间的最后一个 revision，如 2026-11-20T06:00:00Z',
  }),
  snapshot: text({
    section: 'point',
    value: 'key',
    conflicts: ['revision', 'time'],
    en: 'this full snapshot, as `list` names it',
    zh: '恢复该全量备份（名称见 list）',
  }),
  timeline: count({ section: 'point', value: 'number', en: 'choose among timelines', zh: '选择时间线' }),
};

const memberFlags = {
  dataDir: directory({
    section: 'member',
    default: 'default.etcd',
    en: 'the data directory to make; it must not hold data',
    zh: '恢复后的 etcd 数据目录，其中不得已有数据',
  }),
  walDir: directory({
    section: 'member',
    en: 'the directory of the write-ahead log, when it is elsewhere',
    zh: 'WAL 目录（与数据目录分开时）',
  }),
  name: text({ section: 'member', value: 'member', default: 'default', en: 'name of this member', zh: '成员名称' }),
  initialCluster: text({
    section: 'member',
    value: 'members',
    default: 'default=http://localhost:2380',
    en: 'all members: name=peer-url,...',
    zh: '全部成员：name=peer-url,...',
  }),
  initialClusterToken: text({
    section: 'member',
    value: 'token',
    default: 'etcd-cluster',
    en: 'token of the new cluster',
    zh: '新集群的 token',
  }),
  initialAdvertisePeerUrls: list({
    section: 'member',
    value: 'urls',
    defaultText: { en: 'those of --name in --initial-cluster', zh: '--initial-cluster 中 --name 对应的地址' },
    en: 'peer URLs of this member',
    zh: '该成员的 peer URL',
  }),
  target: choice(['3.4', '3.5', '3.6'], {
    section: 'member',
    value: 'version',
    defaultText: { en: "the cluster's own", zh: '原集群的版本' },
    en: 'etcd version that will boot it',
    zh: '将要启动它的 etcd 版本',
  }),
};

/** `etcd-ops restore`: a data directory from the store alone. Flags and defaults are those of the seed tool's README and of etcdctl. */
export const restoreCommand = defineCommand({
  name: 'restore',
  task: 'recover',
  summary: {
    en: 'restore any moment into a data directory that etcd boots from',
    zh: '把任意时刻恢复为 etcd 可直接启动的数据目录',
  },
  description: {
    en: 'Restores the newest state, a revision or a time into a new etcd data directory. Needs the store and nothing else.',
    zh: '把最新状态、某个 revision 或某个时间恢复到新的 etcd 数据目录。只需要存储，不需要其他任何服务。',
  },
  flags: {
    plan: boolean({
      aliases: ['dry-run'],
      en: 'only say what would be restored from what',
      zh: '只显示恢复计划，不执行',
    }),
    skipHashCheck: boolean({ en: "do not check etcd's own hash of the full", zh: '忽略 hash 校验' }),
    maxFetchers: count({ default: 6, en: 'deltas fetched at once', zh: '并行获取增量备份的最大数量' }),
    ...pointFlags,
    ...memberFlags,
    ...repositoryFlags,
    ...outputFlags,
    ...progressFlags,
    ...embeddedEtcdFlags,
    ...chunkFlags,
    ...serviceEndpointFlags,
  },
  examples: [
    {
      command: 'etcd-ops restore --bucket /var/backups/etcd --cluster-name prod --data-dir /var/lib/etcd-restored',
      en: 'the newest state',
      zh: '恢复最新状态',
    },
    {
      command: 'etcd-ops restore --cluster-name prod --data-dir restored --time 2026-11-20T06:00:00Z --plan',
      en: 'what would a restore to six o’clock do?',
      zh: '查看恢复到六点的计划',
    },
    {
      command:
        'etcd-ops restore --cluster-name prod --data-dir m1.etcd --name m1 --initial-cluster m1=http://10.0.0.1:2380,m2=http://10.0.0.2:2380,m3=http://10.0.0.3:2380',
      en: 'one member of three',
      zh: '三节点集群中的一个成员',
    },
  ],
  exitCodes: [4, 5, 6, 7, 9, 12],
  run: async (options) => {
    const { runRestore } = await import('../restore/run-restore.ts');
    await runRestore(options);
  },
});
