import { defineCommand } from '../options/define-command.ts';
import { destinationFlags } from '../options/destination-option.ts';
import { outputFlags } from '../options/general-flags.ts';
import { identityFlags } from '../options/packing-options.ts';
import { adoptingFlags } from '../options/layout-options.ts';
import { repositoryFlags } from '../options/repository-options.ts';

/** `etcd-ops info`: one object, or the repository in short. */
export const infoCommand = defineCommand({
  name: 'info',
  task: 'look',
  summary: { en: 'show one full or delta, or the repository in short', zh: '查看一个全量或增量备份，或仓库概况' },
  description: {
    en: 'Shows what is known of one full (or its manifest) or delta, named by its key or the last part of it; without a name, the repository in short. Reads the store and nothing else.',
    zh: '显示一个全量备份（或其清单）或增量备份的信息，用键名或其最后一段指定；不指定则显示仓库概况。只读取存储。',
  },
  argument: {
    name: 'object',
    required: false,
    en: 'key of a full, manifest or delta, as `list -o json` names it',
    zh: '全量、清单或增量的键名（见 list -o json）',
  },
  flags: { ...identityFlags, ...repositoryFlags, ...destinationFlags, ...adoptingFlags, ...outputFlags },
  examples: [
    {
      command: 'etcd-ops info --bucket /var/backups/etcd --cluster-name prod',
      en: 'the repository in short',
      zh: '仓库概况',
    },
    {
      command: 'etcd-ops info --cluster-name prod 00000000000000184467-1795154400000.db',
      en: 'one full',
      zh: '查看一个全量备份',
    },
  ],
  exitCodes: [4, 6, 9],
  run: async (options, argument) => {
    const { runInfo } = await import('../restore/run-info.ts');
    await runInfo(options, argument);
  },
});
