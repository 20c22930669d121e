import { defineCommand } from '../options/define-command.ts';
import { destinationFlags } from '../options/destination-option.ts';
import { outputFlags, yesFlags } from '../options/general-flags.ts';
import { repositoryFlags } from '../options/repository-options.ts';
import { retentionFlags, retentionZoneFlag } from '../options/retention-options.ts';

/** `etcd-ops gc plan|apply`: what retention would remove and why, and removing it; on a bare repository, without a daemon. */
export const gcCommand = defineCommand({
  name: 'gc',
  task: 'care',
  summary: { en: 'show what retention removes and what that costs, or remove it', zh: '预览或执行备份清理' },
  description: {
    en: 'plan shows each decision with its reason, and what becomes unrestorable; it changes nothing. apply marks what is to go and removes what was marked at least the grace period ago. Needs the store alone. The newest chain, the last proven chain, pinned revisions and locked objects always stay. The policy is that of the flags: give the same as to the daemon, best in a configuration file.',
    zh: 'plan 显示每个备份保留或删除的原因，以及删除后无法再恢复的范围，不做任何改动。apply 标记要删除的备份，并删除标记已超过宽限期的备份。只需要存储。最新的链、最近一次验证过的链、被 pin 的 revision 以及被锁定的对象始终保留。策略以参数为准：请与守护进程使用相同的参数，最好写在配置文件中。',
  },
  argument: {
    name: 'action',
    required: true,
    choices: ['plan', 'apply'],
    en: 'plan: only show it; apply: do it',
    zh: 'plan：仅预览；apply：执行',
  },
  flags: {
    ...repositoryFlags,
    ...destinationFlags,
    ...retentionFlags,
    ...retentionZoneFlag,
    ...yesFlags,
    ...outputFlags,
  },
  examples: [
    {
      command: 'etcd-ops gc plan --bucket /var/backups/etcd --cluster-name prod --keep-hourly 24 --keep-daily 7',
      en: 'what would these rules remove, and what could not be restored any more?',
      zh: '按这些规则会删除什么？哪些时刻将无法恢复？',
    },
    {
      command:
        'etcd-ops gc apply --bucket /var/backups/etcd --cluster-name prod --keep-daily 30 --point-in-time-window 7d --yes',
      en: 'one full a day for a month, and every moment of a week; does not ask',
      zh: '每天一份全量保留一个月，一周内任意时刻可恢复；不再询问',
    },
  ],
  exitCodes: [4, 6, 9],
  run: async (options, action) => {
    const { runGc } = await import('../retention/run-gc.ts');
    await runGc(options, action === 'apply' ? 'apply' : 'plan');
  },
});
