import { defineCommand } from '../options/define-command.ts';
import { boolean, directory, file, text } from '../options/flag.ts';
import { logFlags } from '../options/general-flags.ts';
import { identityFlags } from '../options/packing-options.ts';
import { restoreRootFlags } from '../options/restore-root-options.ts';
import { metricsFlags } from '../options/metrics-options.ts';
import { natsFlags } from '../options/nats-options.ts';

/** `etcd-ops up`: all services for all clusters of a file. */
export const upCommand = defineCommand({
  name: 'up',
  task: 'fleet',
  summary: { en: 'back up many clusters, named in a file', zh: '按配置文件备份多个集群' },
  description: {
    en: 'Runs all services in one process for the clusters of a YAML file, over a private NATS server or a given one. SIGHUP or a change of the file applies it again without a restart; a wrong file changes nothing. SIGTERM flushes the last deltas.',
    zh: '在一个进程中为 YAML 文件中的所有集群运行全部服务，使用内置或指定的 NATS。SIGHUP 或文件变化会热加载；文件有误时保持原状。SIGTERM 会写完最后的增量备份。',
  },
  flags: {
    config: file({
      default: 'etcd-ops.yaml',
      en: 'the clusters; docs/OPERATIONS.md shows a whole file',
      zh: '集群配置文件；完整示例见 docs/OPERATIONS.md',
      notInFile: true,
    }),
    check: boolean({
      aliases: ['dry-run'],
      en: 'only read and check the file, and the files that it names',
      zh: '只读取并检查配置文件及其引用的文件',
    }),
    stateDir: directory({
      section: 'daemon',
      defaultText: {
        en: 'stateDir of the file, else <bucket>/.etcd-ops/up',
        zh: '文件中的 stateDir，否则为 <bucket>/.etcd-ops/up',
      },
      en: 'where the private NATS server keeps its data',
      zh: '内置 NATS 的数据目录',
    }),
    http: text({
      section: 'daemon',
      value: 'host:port',
      defaultText: { en: 'http of the file, else 127.0.0.1:0', zh: '文件中的 http 或 127.0.0.1:0' },
      en: 'where /livez, /readyz and /metrics are served',
      zh: '/livez、/readyz 和 /metrics 的监听地址',
    }),
    ...metricsFlags,
    ...identityFlags,
    ...restoreRootFlags,
    ...natsFlags,
    ...logFlags,
  },
  examples: [
    {
      command: 'etcd-ops up --config clusters.yaml',
      en: 'back up all clusters of the file',
      zh: '备份文件中的所有集群',
    },
    { command: 'etcd-ops up --config clusters.yaml --check', en: 'is the file right?', zh: '检查配置文件' },
  ],
  exitCodes: [8, 9, 10, 12],
  run: async (options) => {
    const { runUp } = await import('../up/run-up.ts');
    await runUp(options);
  },
});
