import { defineCommand } from '../options/define-command.ts';
import { count, directory, text, unneeded } from '../options/flag.ts';
import { outputFlags, progressFlags } from '../options/general-flags.ts';
import { identityFlags, packingFlags } from '../options/packing-options.ts';
import { repositoryFlags, uploadFlags } from '../options/repository-options.ts';
import { embeddedEtcdFlags } from '../options/unneeded-flags.ts';

const NO_MEMBER = {
  en: 'compact works in a scratch directory of its own and makes no member',
  zh: 'compact 使用自己的临时目录，不生成成员',
};
const { restoreTempSnapshotsDir: _, ...embedded } = embeddedEtcdFlags;

/** `etcd-ops compact`: the newest full and its deltas become one more full. */
export const compactCommand = defineCommand({
  name: 'compact',
  task: 'care',
  summary: { en: 'join the newest full and its deltas into one more full', zh: '将多个增量备份合并为一个全量备份' },
  description: {
    en: 'Restores the newest state in scratch space, compacts it at its newest revision (or at --revision, or before the history that --keep-history keeps), writes it anew without free pages, proves it by HashKV, and stores it as an additional full. Needs no etcd; removes nothing and touches no directory that was there before. Exit code 3 when there is nothing to do.',
    zh: '在临时目录中恢复最新状态，压缩到最新 revision（或 --revision、--keep-history 指定的位置），重写并去除碎片，用 HashKV 校验后保存为一个新的全量备份。不需要 etcd；不删除任何备份，也不改动任何已有目录。无事可做时退出码为 3。',
  },
  flags: {
    revision: count({
      value: 'revision',
      conflicts: ['keep-history'],
      en: 'compact at this revision instead of the newest: every one from there on stays restorable from the new full',
      zh: '压缩到该 revision 而非最新：新的全量备份可恢复从该 revision 起的每个 revision',
    }),
    keepHistory: text({
      value: 'duration|count',
      conflicts: ['revision'],
      en: 'compact so far back that this much history stays in the new full: a duration as 24h, or a number of revisions',
      zh: '保留这么多历史：时长（如 24h）或 revision 数量',
    }),
    tempDir: directory({
      aliases: ['restore-temp-snapshots-dir', 'restoration-temp-snapshots-dir'],
      defaultText: { en: '<bucket>/.etcd-ops/<cluster>', zh: '<bucket>/.etcd-ops/<cluster>' },
      en: 'where the scratch directory is made; needs twice the size of the database',
      zh: '临时目录所在位置；需要两倍数据库大小的空间',
    }),
    ...packingFlags,
    ...identityFlags,
    ...repositoryFlags,
    ...uploadFlags,
    ...outputFlags,
    ...progressFlags,
    dataDir: unneeded(NO_MEMBER),
    name: unneeded(NO_MEMBER),
    initialCluster: unneeded(NO_MEMBER),
    initialClusterToken: unneeded(NO_MEMBER),
    initialAdvertisePeerUrls: unneeded(NO_MEMBER),
    skipHashCheck: unneeded({ en: 'what is compacted is always checked', zh: '合并时始终校验' }),
    maxFetchers: unneeded({ en: 'deltas are fetched ahead as they are needed', zh: '增量备份按需预取' }),
    defrag: unneeded({ en: 'the new file never has free pages', zh: '新文件没有碎片' }),
    ...embedded,
  },
  examples: [
    {
      command: 'etcd-ops compact --bucket /var/backups/etcd --cluster-name prod',
      en: 'one more full at the newest revision',
      zh: '在最新 revision 生成一个新的全量备份',
    },
    {
      command: 'etcd-ops compact --keep-history 24h --bucket /var/backups/etcd --cluster-name prod',
      en: 'one that still restores every revision of the last day',
      zh: '仍可恢复最近一天内的每个 revision',
    },
  ],
  exitCodes: [3, 4, 5, 6, 9, 11, 12, 13],
  run: async (options) => {
    const { runCompact } = await import('../compact/run-compact.ts');
    await runCompact(options);
  },
});
