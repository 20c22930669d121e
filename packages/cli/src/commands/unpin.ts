import { defineCommand } from '../options/define-command.ts';
import { destinationFlags } from '../options/destination-option.ts';
import { outputFlags } from '../options/general-flags.ts';
import { repositoryFlags } from '../options/repository-options.ts';

/** `etcd-ops unpin`: takes a pin away. */
export const unpinCommand = defineCommand({
  name: 'unpin',
  task: 'care',
  summary: { en: 'take a pin away', zh: '取消固定' },
  description: {
    en: 'Takes a pin away: from now on the policy alone decides about what it kept. Removes no backup by itself.',
    zh: '取消一个 pin：此后其所保留的备份仅由清理策略决定。本命令不会删除任何备份。',
  },
  argument: {
    name: 'id',
    required: true,
    en: 'the id of the pin as `list` shows it, or its last eight letters',
    zh: 'list 显示的 pin id，或其最后八位',
  },
  flags: { ...repositoryFlags, ...destinationFlags, ...outputFlags },
  examples: [
    {
      command: 'etcd-ops unpin 1795154400000-0123abcd --bucket /var/backups/etcd --cluster-name prod',
      en: 'by its id',
      zh: '按 id 取消',
    },
  ],
  exitCodes: [9],
  run: async (options, id) => {
    const { runUnpin } = await import('../retention/run-pin.ts');
    await runUnpin(options, id ?? '');
  },
});
