import { defineCommand } from '../options/define-command.ts';
import { destinationFlags } from '../options/destination-option.ts';
import { count, text, time } from '../options/flag.ts';
import { outputFlags } from '../options/general-flags.ts';
import { identityFlags } from '../options/packing-options.ts';
import { repositoryFlags } from '../options/repository-options.ts';

/** `etcd-ops pin`: keeps a restore point, whatever the policy says. */
export const pinCommand = defineCommand({
  name: 'pin',
  task: 'care',
  summary: { en: 'keep a restore point, whatever the policy says', zh: '固定一个恢复点，不受清理策略影响' },
  description: {
    en: 'Keeps the full and the deltas that a restore point needs until the pin ends or `unpin` takes it away. A time is turned into its revision now. The pin is a small object in the repository: every garbage collection heeds it, and `list` shows it.',
    zh: '保留恢复点所需的全量与增量备份，直到 pin 到期或被 `unpin` 取消。时间会立即换算为 revision。pin 是仓库中的一个小对象：所有清理都会遵守，`list` 会显示。',
  },
  argument: {
    name: 'point',
    required: true,
    en: 'a revision, a time as 2026-11-20T06:00:00Z, or a full as `list` names it',
    zh: 'revision、时间（如 2026-11-20T06:00:00Z），或 list 中的全量备份名称',
  },
  flags: {
    reason: text({ en: 'why, for whoever wonders later; must be given', zh: '原因，供日后查看；必填' }),
    until: time({
      en: 'when the pin ends by itself; without it, it stays',
      zh: 'pin 自动失效的时间；不指定则一直有效',
    }),
    timeline: count({ value: 'number', en: 'choose among timelines', zh: '选择时间线' }),
    ...repositoryFlags,
    ...destinationFlags,
    ...identityFlags,
    ...outputFlags,
  },
  examples: [
    {
      command:
        'etcd-ops pin 184467 --reason "before the upgrade to 1.31" --until 2026-12-31T00:00:00Z --bucket /var/backups/etcd --cluster-name prod',
      en: 'keep revision 184467 until the end of the year',
      zh: '将 revision 184467 保留到年底',
    },
  ],
  exitCodes: [5, 6, 9],
  run: async (options, point) => {
    const { runPin } = await import('../retention/run-pin.ts');
    await runPin(options, point ?? '');
  },
});
