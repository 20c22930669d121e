import { defineCommand } from '../options/define-command.ts';
import { destinationFlags } from '../options/destination-option.ts';
import { boolean, count, directory, file, text } from '../options/flag.ts';
import { outputFlags, progressFlags } from '../options/general-flags.ts';
import { memberFlags, ownerFlags } from '../options/member-options.ts';
import { changeFlags, momentFlags } from '../options/moment-options.ts';
import { identityFlags } from '../options/packing-options.ts';
import { adoptingFlags } from '../options/layout-options.ts';
import { repositoryFlags } from '../options/repository-options.ts';
import { chunkFlags, embeddedEtcdFlags, serviceEndpointFlags } from '../options/unneeded-flags.ts';

const { restoreTempSnapshotsDir: _, ...embedded } = embeddedEtcdFlags;

const startFlags = {
  startFiles: directory({
    section: 'member',
    en: 'write how each member is started into this directory: systemd unit, etcd.env, etcd.conf.yml, static pod',
    zh: '把每个成员的启动文件写入该目录：systemd unit、etcd.env、etcd.conf.yml、静态 Pod',
  }),
  startDataDir: text({
    section: 'member',
    value: 'path',
    defaultText: { en: 'the directory that was restored', zh: '恢复出的目录' },
    en: 'the data directory as the nodes will have it, in --start-files; {name} is the member',
    zh: '启动文件中使用的数据目录；{name} 代表成员名',
  }),
  clientUrls: text({
    section: 'member',
    value: 'members',
    defaultText: { en: 'port 2379 of each peer host', zh: '各成员主机的 2379 端口' },
    en: 'where members serve clients, in --start-files: name=client-url,...',
    zh: '启动文件中各成员的客户端地址：name=client-url,...',
  }),
  etcdImage: text({
    section: 'member',
    value: 'image',
    en: 'image of the static pod in --start-files',
    zh: '启动文件中静态 Pod 的镜像',
  }),
  cacert: file({
    section: 'member',
    aliases: ['ca-cert', 'trusted-ca-file'],
    en: 'CA in --start-files, as the nodes have it; restore itself talks to no etcd',
    zh: '启动文件中的 CA 证书路径；恢复本身不连接 etcd',
  }),
  cert: file({ section: 'member', en: 'certificate in --start-files', zh: '启动文件中的证书路径' }),
  key: file({ section: 'member', en: 'key in --start-files', zh: '启动文件中的私钥路径' }),
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
    fromFile: file({
      conflicts: ['snapshot', 'time', 'timeline', 'allow-older', 'safe-bump'],
      en: 'restore this file of `etcdctl snapshot save` instead of a repository; with --skip-hash-check also a copied db',
      zh: '从 `etcdctl snapshot save` 的文件恢复；配合 --skip-hash-check 也可用拷贝的 db 文件',
    }),
    ...momentFlags,
    ...changeFlags,
    ...memberFlags,
    allMembers: boolean({
      section: 'member',
      en: 'make the directories of all members (1 to 7) at once: {name} in --data-dir, else <data-dir>-<name>',
      zh: '一次生成所有成员（1 到 7 个）的目录：--data-dir 中的 {name}，否则为 <data-dir>-<name>',
    }),
    ...ownerFlags,
    ...startFlags,
    ...identityFlags,
    ...repositoryFlags,
    ...destinationFlags,
    ...adoptingFlags,
    ...outputFlags,
    ...progressFlags,
    ...embedded,
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
        'etcd-ops restore --cluster-name prod --data-dir restored --before-delete-prefix /registry/pods/ --safe-bump',
      en: 'the moment before a mass deletion, so that no controller trusts what it remembers',
      zh: '恢复到批量删除之前，并让所有控制器重新同步',
    },
    {
      command:
        'etcd-ops restore --cluster-name prod --data-dir m1.etcd --name m1 --initial-cluster m1=http://10.0.0.1:2380,m2=http://10.0.0.2:2380,m3=http://10.0.0.3:2380',
      en: 'one member of three',
      zh: '三节点集群中的一个成员',
    },
    {
      command:
        'etcd-ops restore --cluster-name prod --all-members --data-dir restored/{name} --owner etcd:etcd --start-files start --initial-cluster m1=https://10.0.0.1:2380,m2=https://10.0.0.2:2380,m3=https://10.0.0.3:2380',
      en: 'all three members, and what they are started with',
      zh: '一次恢复三个成员，并生成启动文件',
    },
    {
      command: 'etcd-ops restore --layout gardener --bucket backups --cluster-name prod--etcd-main --data-dir restored',
      en: 'what gardener’s etcd-backup-restore wrote, leases and revisions as they were',
      zh: '从 gardener etcd-backup-restore 的备份恢复，租约与 revision 保持不变',
    },
    {
      command: 'etcd-ops restore --from-file snapshot.db --data-dir /var/lib/etcd-restored',
      en: 'a file of `etcdctl snapshot save`',
      zh: '从 etcdctl snapshot save 的文件恢复',
    },
  ],
  exitCodes: [4, 5, 6, 7, 9, 12, 13],
  run: async (options) => {
    const { runRestore } = await import('../restore/run-restore.ts');
    await runRestore(options);
  },
});
