import { defineCommand } from '../options/define-command.ts';
import { destinationFlags } from '../options/destination-option.ts';
import { boolean, bytes, count, text, time } from '../options/flag.ts';
import { outputFlags, progressFlags } from '../options/general-flags.ts';
import { repositoryFlags, uploadFlags } from '../options/repository-options.ts';
import { retentionFlags, retentionZoneFlag } from '../options/retention-options.ts';
import { targetFlags } from '../options/target-options.ts';

const { uploadBandwidth: _, ...partFlags } = uploadFlags;
const { garbageCollectionGrace: __, ...policyFlags } = retentionFlags;

/** `etcd-ops copy`: a repository, or a part of it, into another store. */
export const copyCommand = defineCommand({
  name: 'copy',
  task: 'care',
  summary: { en: 'copy backups into another store', zh: '将备份复制到另一个存储' },
  description: {
    en: 'Brings what the source holds of a cluster into another store, of any kind: all of it, one chain, or what makes every moment since a time restorable. Only what is missing there is copied, so it may be broken off at any moment and begun again, and run on a schedule. The target can be restored from all the while: the newest chain comes first, each full before its deltas. Sizes, and the checksums of manifests and deltas, are checked on the way. Nothing is deleted, and an object that is there with another content is never overwritten (exit code 9). Encrypted backups are copied as they are; no key is needed. Damaged objects stay behind and are named (exit code 4). When there was nothing to copy, the exit code is 0. Needs no etcd.',
    zh: '将一个集群的备份复制到另一个存储（任意提供商之间）：全部、一条链，或自某一时刻起的全部内容。只复制目标缺少的对象，因此可随时中断后继续，也可定时运行。复制过程中目标始终可用于恢复：先复制最新的链，全量备份先于其增量备份。途中校验大小以及清单与增量备份的校验和。不删除任何内容，也绝不覆盖内容不同的同名对象（退出码 9）。加密的备份原样复制，不需要密钥。损坏的对象不复制并会列出（退出码 4）。没有需要复制的内容时退出码为 0。不需要 etcd。',
  },
  flags: {
    snapshot: text({
      section: 'point',
      value: 'key',
      conflicts: ['newest', 'since'],
      en: 'only this full and the deltas behind it',
      zh: '只复制该全量备份及其后的增量备份',
    }),
    newest: boolean({
      section: 'point',
      conflicts: ['snapshot', 'since'],
      en: 'only the chain that a restore of the newest state uses',
      zh: '只复制恢复最新状态所用的链',
    }),
    since: time({
      section: 'point',
      conflicts: ['snapshot', 'newest'],
      en: 'only what makes every moment from this one on restorable, as 2026-11-20T06:00:00Z',
      zh: '只复制可恢复该时刻之后任意时刻所需的内容，如 2026-11-20T06:00:00Z',
    }),
    pins: boolean({
      default: true,
      en: 'pins go along with a whole repository',
      zh: '复制整个仓库时同时复制 pin',
    }),
    keptOnly: boolean({
      conflicts: ['snapshot', 'newest', 'since'],
      en: 'leave behind what the retention flags would not keep in the target; `gc apply` with the same flags there takes away what they no longer keep, and it does not come back',
      zh: '不复制按保留策略参数在目标中不会保留的内容；在目标上以相同参数执行 gc apply 删除的内容不会再次复制',
    }),
    dryRun: boolean({ en: 'only say what would be copied', zh: '只显示将要复制的内容' }),
    parallel: count({
      value: 'count',
      default: 4,
      en: 'small objects on their way at once, each held in memory (up to 4 MiB); large ones go one after the other, in parts',
      zh: '同时复制的小对象数，每个最多占用 4 MiB 内存；大对象逐个分块复制',
    }),
    bandwidth: bytes({ en: 'bytes per second that are read at most', zh: '每秒最多读取的字节数' }),
    ...repositoryFlags,
    ...destinationFlags,
    ...targetFlags,
    ...partFlags,
    ...policyFlags,
    ...retentionZoneFlag,
    ...outputFlags,
    ...progressFlags,
  },
  examples: [
    {
      command:
        'etcd-ops copy --bucket /var/backups/etcd --cluster-name prod --to-storage-provider S3 --to-bucket off-site',
      en: 'a second place for everything; again whenever you like',
      zh: '把全部备份复制到第二个位置；可随时再次执行',
    },
    {
      command:
        'etcd-ops copy --kept-only --keep-daily 30 --bucket /var/backups/etcd --cluster-name prod --to-storage-provider S3 --to-bucket off-site',
      en: 'off-site one a day for a month, whatever is kept here',
      zh: '异地按天保留一个月，与本地保留策略无关',
    },
    {
      command:
        'etcd-ops copy --newest --bucket /var/backups/etcd --cluster-name prod --to-bucket /mnt/usb --bandwidth 10Mi',
      en: 'the newest chain onto a disk, gently',
      zh: '限速将最新的链复制到磁盘',
    },
    {
      command:
        'etcd-ops copy --dry-run --since 2026-11-20T06:00:00Z --storage-provider S3 --bucket backups --cluster-name prod --to-bucket /tmp/look',
      en: 'how much would it be?',
      zh: '需要复制多少内容？',
    },
  ],
  exitCodes: [4, 6, 9],
  run: async (options) => {
    const { runCopy } = await import('../copy/run-copy.ts');
    await runCopy(options);
  },
});
