import { defineCommand } from '../options/define-command.ts';
import { directory } from '../options/flag.ts';
import { outputFlags } from '../options/general-flags.ts';
import { repositoryFlags } from '../options/repository-options.ts';

/** `etcd-ops status`: how the running daemon does. */
export const statusCommand = defineCommand({
  name: 'status',
  task: 'look',
  summary: { en: 'show how the running daemon does', zh: '查看正在运行的守护进程' },
  description: {
    en: 'Asks the running daemon how far it has captured, what it did last and what went wrong.',
    zh: '询问正在运行的守护进程：已捕获到哪个 revision、最近做了什么、出了什么错。',
  },
  flags: {
    stateDir: directory({
      en: 'state directory of the daemon',
      zh: '守护进程的状态目录',
      defaultText: { en: '<bucket>/.etcd-ops/<cluster>', zh: '<bucket>/.etcd-ops/<cluster>' },
    }),
    ...repositoryFlags,
    ...outputFlags,
  },
  examples: [
    {
      command: 'etcd-ops status --bucket /var/backups/etcd --cluster-name prod',
      en: 'the daemon that backs up prod',
      zh: '备份 prod 的守护进程',
    },
  ],
  exitCodes: [10],
  run: async (options) => {
    const { runStatus } = await import('../daemon/run-status.ts');
    await runStatus(options);
  },
});
