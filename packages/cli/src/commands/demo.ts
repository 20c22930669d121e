import { outputFlags } from '../options/general-flags.ts';
import { defineCommand } from '../options/define-command.ts';
import { boolean, count, text } from '../options/flag.ts';

/** `etcd-ops demo`: the whole promise, kept on a real etcd, on this machine, now. */
export const demoCommand = defineCommand({
  name: 'demo',
  task: 'try',
  summary: {
    en: 'see a real etcd captured, lost and restored exactly',
    zh: '演示：备份、毁掉并精确恢复一个真实的 etcd',
  },
  description: {
    en: 'Starts a real etcd, backs it up under load, deletes a prefix by mistake, destroys the etcd, restores the newest state and the moment before the mistake, and compares both with what the living cluster had said. The exit code is 0 only if everything was equal.',
    zh: '启动一个真实的 etcd，在写入负载下备份，误删一个前缀，再毁掉 etcd；然后恢复最新状态和误删之前的时刻，并与原集群的内容逐一比较。全部一致时退出码才为 0。',
  },
  flags: {
    keep: boolean({
      en: 'leave everything running and say which commands to play with',
      zh: '结束后保持运行，并给出可以尝试的命令',
    }),
    etcdVersion: text({
      value: 'version',
      defaultText: { en: 'the newest', zh: '最新' },
      en: 'which of the etcd versions at hand',
      zh: '使用本机已有的哪个 etcd 版本',
    }),
    seed: count({ value: 'number', default: 20_261_120, en: 'seed of the load', zh: '负载的随机种子' }),
    ...outputFlags,
  },
  examples: [
    {
      command: 'etcd-ops demo --keep',
      en: 'see it work, and keep everything running to play with',
      zh: '演示后保留现场',
    },
  ],
  exitCodes: [11, 12],
  run: async (options) => {
    const { runDemo } = await import('../demo/run-demo.ts');
    await runDemo(options);
  },
});
