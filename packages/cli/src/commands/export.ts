import { defineCommand } from '../options/define-command.ts';
import { destinationFlags } from '../options/destination-option.ts';
import { boolean, bytes, choice, count, directory, text } from '../options/flag.ts';
import { outputFlags, progressFlags } from '../options/general-flags.ts';
import { identityFlags } from '../options/packing-options.ts';
import { repositoryFlags, uploadFlags } from '../options/repository-options.ts';

/** `etcd-ops export`: a timeline in the form of another tool. */
export const exportCommand = defineCommand({
  name: 'export',
  task: 'care',
  summary: { en: 'write backups in the form of another tool', zh: '以其他工具的格式导出备份' },
  description: {
    en: 'Writes the fulls of a timeline, and between and behind them every revision that deltas hold, as the older etcd-ops or gardener etcd-backup-restore writes them: names, JSON and SHA-256 byte for byte, so that their restore takes them. Checked as they are read, decrypted with --identity-file. What is in the target already is not written again, so it may run on a schedule: a way back, while you move over. Nothing is removed there. Their restore drops leases and replays through an etcd; ours does not. Exit code 3 when there is nothing new.',
    zh: '将一个时间线的全量备份及其间、其后的所有增量 revision，按旧版 etcd-ops 或 gardener etcd-backup-restore 的格式写出：名称、JSON 与 SHA-256 逐字节一致，可由它们恢复。读取时校验，用 --identity-file 解密。目标已有的内容不会重写，因此可定时运行：迁移期间保留退路。不删除目标中的任何内容。没有新内容时退出码为 3。',
  },
  flags: {
    layout: choice(['seed', 'gardener'], {
      en: 'whose form: that of the older etcd-ops (Backup-YYYYMMDD/) or of gardener (v2/)',
      zh: '导出格式：旧版 etcd-ops（Backup-YYYYMMDD/）或 gardener（v2/）',
    }),
    toDir: directory({
      conflicts: ['to-bucket'],
      en: 'the local folder that is the bucket (the container) of the other tool',
      zh: '其他工具所用的本地 bucket（container）目录',
    }),
    toBucket: text({
      value: 'bucket',
      en: 'the bucket of the other tool, reached as --bucket is',
      zh: '其他工具的 bucket，连接方式与 --bucket 相同',
    }),
    toClusterName: text({
      value: 'name',
      aliases: ['to-prefix', 'to-store-prefix'],
      defaultText: { en: '--cluster-name', zh: '同 --cluster-name' },
      en: 'the folder there: --cluster-name of the older etcd-ops, --store-prefix of gardener',
      zh: '其中的目录：旧版 etcd-ops 的 --cluster-name，gardener 的 --store-prefix',
    }),
    revision: count({
      section: 'point',
      value: 'revision',
      defaultText: { en: 'the newest', zh: '最新' },
      en: 'nothing above this revision',
      zh: '只导出到该 revision 为止',
    }),
    newest: boolean({
      section: 'point',
      en: 'only the newest full and what follows it',
      zh: '只导出最新的全量备份及其后的增量',
    }),
    timeline: count({
      section: 'point',
      value: 'number',
      defaultText: { en: 'the newest', zh: '最新' },
      en: 'which timeline: the other tools know one history only',
      zh: '导出哪个时间线：其他工具只支持单一历史',
    }),
    codec: choice(['none', 'gzip', 'zlib'], {
      value: 'codec',
      aliases: ['compression-policy'],
      default: 'gzip',
      en: 'how it is compressed',
      zh: '压缩方式',
    }),
    deltaBytes: bytes({
      aliases: ['delta-snapshot-memory-limit'],
      default: 10 * 1024 * 1024,
      defaultText: { en: '10Mi', zh: '10Mi' },
      en: 'a delta is ended behind so many bytes of JSON: the other tools hold one in memory',
      zh: '单个增量的 JSON 字节数上限：其他工具会将其整个载入内存',
    }),
    dryRun: boolean({ en: 'only say what would be written', zh: '只显示将要写出的内容' }),
    ...identityFlags,
    ...repositoryFlags,
    ...destinationFlags,
    ...uploadFlags,
    ...outputFlags,
    ...progressFlags,
  },
  examples: [
    {
      command:
        'etcd-ops export --layout gardener --bucket /var/backups/etcd --cluster-name prod --to-dir ~/default.bkp --to-cluster-name etcd-main',
      en: 'what `etcdbrctl restore --store-prefix etcd-main` reads',
      zh: '导出后可用 `etcdbrctl restore --store-prefix etcd-main` 恢复',
    },
    {
      command:
        'etcd-ops export --layout seed --newest --bucket /var/backups/etcd --cluster-name prod --to-dir default.bak',
      en: 'only the newest chain, for the older etcd-ops',
      zh: '为旧版 etcd-ops 只导出最新的链',
    },
  ],
  exitCodes: [3, 4, 6, 7, 9, 13],
  run: async (options) => {
    const { runExport } = await import('../layouts/run-export.ts');
    await runExport(options);
  },
});
