import { defineCommand } from '../options/define-command.ts';
import { directory } from '../options/flag.ts';
import { outputFlags } from '../options/general-flags.ts';
import { natsFlags } from '../options/nats-options.ts';
import { repositoryFlags } from '../options/repository-options.ts';

/** `etcd-ops status`: how the running daemon does. */
export const statusCommand = defineCommand({
  name: 'status',
  task: 'look',
  summary: {
    en: 'show how the backup does: captured, stored, failed, due next',
    zh: '查看备份状况：已捕获、已保存、出错与下次计划',
  },
  description: {
    en: 'Asks the running daemon, or with --nats a fleet, how far it has captured and lags, what it did last, what is due next and what went wrong; reads the repository beside it. Where no daemon runs it shows what the repository alone tells, and ends with exit code 10.',
    zh: '询问正在运行的守护进程（或用 --nats 询问整个集群）：已捕获到哪个 revision、落后多少、最近做了什么、下次何时、出了什么错；并读取仓库。没有守护进程时只显示仓库内容，退出码为 10。',
  },
  flags: {
    stateDir: directory({
      en: 'state directory of the daemon',
      zh: '守护进程的状态目录',
      defaultText: { en: '<bucket>/.etcd-ops/<cluster>', zh: '<bucket>/.etcd-ops/<cluster>' },
    }),
    ...repositoryFlags,
    ...natsFlags,
    nats: { ...natsFlags.nats, defaultText: { en: 'the private one of --state-dir', zh: '--state-dir 的内置 NATS' } },
    ...outputFlags,
  },
  examples: [
    {
      command: 'etcd-ops status --bucket /var/backups/etcd --cluster-name prod',
      en: 'the daemon that backs up prod',
      zh: '备份 prod 的守护进程',
    },
    {
      command: 'etcd-ops status --nats nats://10.0.0.5:4222 -o json',
      en: 'all clusters of a fleet, for programs',
      zh: '整个集群的状态，JSON 输出',
    },
  ],
  exitCodes: [10],
  run: async (options) => {
    const { runStatus } = await import('../status/run-status.ts');
    await runStatus(options);
  },
});
