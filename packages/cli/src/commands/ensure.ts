import { defineCommand } from '../options/define-command.ts';
import { boolean } from '../options/flag.ts';
import { outputFlags, progressFlags, yesFlags } from '../options/general-flags.ts';
import { memberFlags, ownerFlags } from '../options/member-options.ts';
import { identityFlags } from '../options/packing-options.ts';
import { adoptingFlags } from '../options/layout-options.ts';
import { repositoryFlags } from '../options/repository-options.ts';

/** `etcd-ops ensure`: before etcd starts, its data directory is checked, and restored if it has to be. */
export const ensureCommand = defineCommand({
  name: 'ensure',
  task: 'recover',
  summary: {
    en: 'before etcd starts: check its data directory, restore it if it is missing or broken',
    zh: 'etcd 启动前检查数据目录，缺失或损坏时自动恢复',
  },
  description: {
    en: 'Checks a data directory the way etcd will read it: log, raft snapshot, database pages, revision against the newest backup. A sound one is left alone; a missing or empty one is restored; a broken one is moved aside to <data-dir>.broken-<time> and restored; that of another cluster, or of a running etcd, is refused. For ExecStartPre, an init container, and by hand.',
    zh: '按 etcd 的读取方式检查数据目录：WAL、raft 快照、数据库页、与最新备份的 revision。健康则保持不变；缺失或为空则恢复；损坏则移到 <data-dir>.broken-<时间> 后恢复；属于其他集群或正在运行的 etcd 则拒绝。适用于 ExecStartPre、init 容器和手动执行。',
  },
  flags: {
    quick: boolean({ en: 'do not read every page of the database', zh: '不逐页检查数据库' }),
    check: boolean({
      aliases: ['dry-run'],
      en: 'only look: exit code 0 if etcd can start from it, 4 if it would be restored',
      zh: '只检查：可启动返回 0，需要恢复返回 4',
    }),
    allowNew: boolean({
      en: 'no data and no backup is fine: etcd begins a new cluster',
      zh: '既无数据也无备份时允许 etcd 新建集群',
    }),
    allowOlder: boolean({
      en: 'restore the newest that can be restored, even where more was captured and objects in between are missing or damaged',
      zh: '即使中间的备份缺失或损坏、较新的备份无法恢复，也恢复到仍可恢复的最新 revision',
    }),
    allMembersLost: boolean({
      en: 'restore this member although others answer: all of them are being restored',
      zh: '即使其他成员仍在响应也恢复：所有成员都在恢复中',
    }),
    ...memberFlags,
    ...ownerFlags,
    ...identityFlags,
    ...repositoryFlags,
    ...adoptingFlags,
    ...yesFlags,
    ...outputFlags,
    ...progressFlags,
  },
  examples: [
    {
      command: 'etcd-ops ensure --data-dir /var/lib/etcd --bucket /var/backups/etcd --cluster-name prod --yes',
      en: 'as ExecStartPre of etcd.service, or as init container',
      zh: '用作 etcd.service 的 ExecStartPre 或 init 容器',
    },
    {
      command: 'etcd-ops ensure --data-dir /var/lib/etcd --bucket /var/backups/etcd --cluster-name prod --check',
      en: 'only look',
      zh: '只检查',
    },
  ],
  exitCodes: [4, 5, 6, 7, 9, 12, 13],
  run: async (options) => {
    const { runEnsure } = await import('../ensure/run-ensure.ts');
    await runEnsure(options);
  },
});
