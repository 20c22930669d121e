import { defineCommand } from '../options/define-command.ts';
import { boolean, count, directory, file, text, texts } from '../options/flag.ts';
import { etcdFlags } from '../options/etcd-options.ts';
import { outputFlags, yesFlags } from '../options/general-flags.ts';
import { natsFlags } from '../options/nats-options.ts';
import { packingFlags } from '../options/packing-options.ts';
import { repositoryFlags, uploadFlags } from '../options/repository-options.ts';
import { retentionFlags } from '../options/retention-options.ts';
import { gcPeriodFlag, scheduleFlags } from '../options/schedule-options.ts';

// A password given here would have to be stored in NATS: specs name files, never secrets.
const { etcdPassword: _, ...reachFlags } = etcdFlags;

/** `etcd-ops cluster add|edit|remove|list|show`: the clusters under care, while the services run. */
export const clusterCommand = defineCommand({
  name: 'cluster',
  task: 'fleet',
  summary: {
    en: 'add, edit, remove, list or show clusters while the services run',
    zh: '在服务运行时添加、编辑、移除、列出或查看集群',
  },
  description: {
    en: 'Changes which clusters are cared for, in the NATS of a fleet (--nats) or of the daemon of --state-dir. Running services follow within seconds, without a restart. add takes the flags of `snapshot`, or a file of one or many clusters. edit changes what --set and --unset name, and nothing when somebody else was quicker. remove ends the care; backups stay. Clusters added here stay when `up` or `apply` reads a file that does not name them; those of a file follow the file the next time it is applied.',
    zh: '修改要备份的集群：位于 --nats 指定的 NATS，或 --state-dir 的守护进程的内置 NATS。运行中的服务数秒内生效，无需重启。add 使用与 `snapshot` 相同的参数，或包含一个或多个集群的文件。edit 修改 --set、--unset 所指的字段；若他人已先修改则不做任何改动。remove 停止备份，已有备份保留。此处添加的集群不受 `up`、`apply` 读取的文件影响；文件中的集群在下次应用该文件时以文件为准。',
  },
  argument: {
    name: 'action',
    required: true,
    choices: ['add', 'edit', 'remove', 'list', 'show'],
    en: 'what is done: add, edit, remove, list or show',
    zh: '操作：add、edit、remove、list 或 show',
  },
  flags: {
    file: file({
      short: 'f',
      en: 'add, edit: the cluster as YAML or JSON, as a file of `up` has it; - is standard input; add takes a whole file of clusters, too',
      zh: 'add、edit：YAML 或 JSON 格式的集群配置，写法与 `up` 的文件相同；- 为标准输入；add 也接受整个集群文件',
      notInFile: true,
    }),
    set: texts({
      value: 'path=value',
      en: 'edit: the new value of a field, as snapshots.schedule="0 * * * *"; repeatable; the value is YAML',
      zh: 'edit：字段的新值，如 snapshots.schedule="0 * * * *"；可重复；值为 YAML',
      notInFile: true,
    }),
    unset: texts({
      value: 'path',
      en: 'edit: give a field its default, or take it away; repeatable',
      zh: 'edit：将字段恢复为默认值或删除；可重复',
      notInFile: true,
    }),
    revision: count({
      value: 'revision',
      en: 'edit, remove: only if the cluster is still at this revision, as show tells it',
      zh: 'edit、remove：仅当集群配置仍为该版本（见 show）时执行',
      notInFile: true,
    }),
    label: texts({
      value: 'key=value',
      en: 'add: a label; list: only clusters that have it; repeatable',
      zh: 'add：标签；list：只列出带有该标签的集群；可重复',
    }),
    check: boolean({
      en: 'add, edit: fail when etcd cannot be reached so; else that is only a warning',
      zh: 'add、edit：无法连接 etcd 时失败；否则仅警告',
      notInFile: true,
    }),
    dryRun: boolean({
      en: 'add, edit, remove: only tell what would be',
      zh: 'add、edit、remove：只显示将要做的事',
      notInFile: true,
    }),
    ...reachFlags,
    ...repositoryFlags,
    clusterName: text({
      section: 'repository',
      value: 'name',
      en: 'the cluster; it is the name of its repository, too',
      zh: '集群名称，也是其仓库名称',
    }),
    ...uploadFlags,
    ...scheduleFlags,
    schedule: text({
      ...scheduleFlags.schedule,
      default: '@daily',
      en: `${scheduleFlags.schedule.en}; long chains get a full before that`,
      zh: `${scheduleFlags.schedule.zh}；备份链过长时会提前做全量备份`,
    }),
    timezone: text({ ...scheduleFlags.timezone, default: 'UTC', defaultText: { en: 'UTC', zh: 'UTC' } }),
    ...retentionFlags,
    ...gcPeriodFlag,
    ...packingFlags,
    stateDir: directory({
      section: 'daemon',
      en: 'state directory of the daemon',
      zh: '守护进程的状态目录',
      defaultText: {
        en: '<bucket>/.etcd-ops/up, else that of `snapshot`',
        zh: '<bucket>/.etcd-ops/up，否则为 `snapshot` 的',
      },
    }),
    ...natsFlags,
    nats: { ...natsFlags.nats, defaultText: { en: 'the private one of --state-dir', zh: '--state-dir 的内置 NATS' } },
    ...yesFlags,
    ...outputFlags,
  },
  examples: [
    {
      command:
        'etcd-ops cluster add --nats nats://nats:4222 --cluster-name prod --endpoints https://10.0.0.1:2379 --cacert /etc/pki/ca.crt --bucket /var/backups/etcd',
      en: 'care for one more cluster from now on',
      zh: '从现在起备份一个新集群',
    },
    {
      command:
        'etcd-ops cluster edit --nats nats://nats:4222 --cluster-name prod --set snapshots.schedule="0 */6 * * *"',
      en: 'another schedule, without a restart',
      zh: '修改周期，无需重启',
    },
    {
      command: 'etcd-ops cluster list --nats nats://nats:4222 --label env=production',
      en: 'the clusters of one kind',
      zh: '列出某一类集群',
    },
  ],
  exitCodes: [8, 10],
  run: async (options, action) => {
    const { runCluster } = await import('../fleet/run-cluster.ts');
    await runCluster(options, action as 'add' | 'edit' | 'remove' | 'list' | 'show');
  },
});
