import { defineCommand } from '../options/define-command.ts';
import { boolean, bytes, directory, duration, list } from '../options/flag.ts';
import { outputFlags, progressFlags } from '../options/general-flags.ts';
import { identityFlags, packingFlags } from '../options/packing-options.ts';
import { repositoryFlags, uploadFlags } from '../options/repository-options.ts';

/** `etcd-ops merge`: what the schedule does with small deltas, by hand. */
export const mergeCommand = defineCommand({
  name: 'merge',
  task: 'care',
  summary: { en: 'merge small deltas into larger ones', zh: '将小的增量备份合并为大的' },
  description: {
    en: 'Makes one delta of all deltas of a window of time that is over: of five minutes, then of an hour, then of a day, so that a long chain is read from few objects. Needs no etcd, and removes nothing: what a larger delta covers, garbage collection takes away after its grace. A restore may run meanwhile. Two that merge at once make the same objects. Exit code 3 when there is nothing to merge.',
    zh: '将已结束的时间窗口内的增量备份合并为一个：先按 5 分钟，再按小时，再按天，使长链只需读取少量对象。不需要 etcd，也不删除任何内容：被覆盖的小增量由垃圾回收在宽限期后清理。合并时可同时恢复。无事可做时退出码为 3。',
  },
  flags: {
    windows: list({
      default: ['5m', '1h', '1d'],
      en: 'windows of time whose deltas become one; each a whole multiple of the one before it',
      zh: '合并的时间窗口；每个是前一个的整数倍',
    }),
    settle: duration({
      default: '10m',
      en: 'leave a window alone until it has been over for so long',
      zh: '窗口结束后等待多久再合并',
    }),
    maxBytes: bytes({
      default: 512 * 1024 * 1024,
      defaultText: { en: '512Mi', zh: '512Mi' },
      en: 'leave a window with more bytes of deltas as it is',
      zh: '增量备份超过该字节数的窗口不合并',
    }),
    dryRun: boolean({ en: 'only say what would be merged', zh: '只显示将要合并的内容' }),
    tempDir: directory({
      defaultText: { en: "the system's", zh: '系统临时目录' },
      en: 'where a merged delta is made; emptied again',
      zh: '生成合并结果的临时目录；用后清空',
    }),
    ...packingFlags,
    ...identityFlags,
    ...repositoryFlags,
    ...uploadFlags,
    ...outputFlags,
    ...progressFlags,
  },
  examples: [
    {
      command: 'etcd-ops merge --dry-run --bucket /var/backups/etcd --cluster-name prod',
      en: 'what would be merged?',
      zh: '将会合并哪些内容？',
    },
    {
      command: 'etcd-ops merge --bucket /var/backups/etcd --cluster-name prod',
      en: 'merge what can be merged',
      zh: '执行合并',
    },
  ],
  exitCodes: [3, 4, 9, 12, 13],
  run: async (options) => {
    const { runMerge } = await import('../merge/run-merge.ts');
    await runMerge(options);
  },
});
