import { defineCommand } from '../options/define-command.ts';
import { destinationFlags } from '../options/destination-option.ts';
import { outputFlags } from '../options/general-flags.ts';
import { layoutFlags } from '../options/layout-options.ts';
import { repositoryFlags } from '../options/repository-options.ts';

/** `etcd-ops list`: what is stored, and what can be restored from it. */
export const listCommand = defineCommand({
  name: 'list',
  task: 'look',
  summary: { en: 'show what is stored and what can be restored', zh: '列出已有备份和可恢复的范围' },
  description: {
    en: 'Shows the fulls, deltas, restorable ranges and gaps of a repository. Reads the store and nothing else.',
    zh: '列出仓库中的全量备份、增量备份、可恢复的 revision 与时间范围以及缺口。只读取存储。',
  },
  flags: { ...repositoryFlags, ...destinationFlags, ...layoutFlags, ...outputFlags },
  examples: [
    {
      command: 'etcd-ops list --bucket /var/backups/etcd --cluster-name prod',
      en: 'which moments can be restored?',
      zh: '可以恢复到哪些时刻？',
    },
    {
      command: 'etcd-ops list --bucket /var/backups/etcd --cluster-name prod -o json',
      en: 'the same for programs',
      zh: '同上，JSON 输出',
    },
  ],
  exitCodes: [6, 9],
  run: async (options) => {
    const { runList } = await import('../restore/run-list.ts');
    await runList(options);
  },
});
