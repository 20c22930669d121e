import { defineCommand } from '../options/define-command.ts';
import { boolean, count, file } from '../options/flag.ts';
import { outputFlags } from '../options/general-flags.ts';
import { natsFlags, natsOpsFlags } from '../options/nats-options.ts';

/** `etcd-ops apply`: the clusters of a file, for services that run as processes of their own. */
export const applyCommand = defineCommand({
  name: 'apply',
  task: 'fleet',
  summary: { en: 'tell the services of a fleet which clusters to care for', zh: '向各服务下发要备份的集群' },
  description: {
    en: 'Makes the streams and buckets on NATS and registers the clusters of a YAML file, the same file that `up` takes. Running services follow at once. Applying again changes what differs. Without --prune, clusters that the file does not name stay.',
    zh: '在 NATS 上创建所需的流和存储桶，并登记 YAML 文件（与 `up` 相同）中的集群。运行中的服务立即生效。重复执行只修改有差异的部分。不加 --prune 时，文件中没有的集群保持不变。',
  },
  flags: {
    config: file({
      default: 'etcd-ops.yaml',
      en: 'the clusters; docs/OPERATIONS.md shows a whole file',
      zh: '集群配置文件；完整示例见 docs/OPERATIONS.md',
      notInFile: true,
    }),
    replicas: count({
      default: 1,
      en: 'copies of each stream: 3 on a NATS of three nodes',
      zh: '每个流的副本数：三节点 NATS 用 3',
    }),
    prune: boolean({
      en: 'care no longer for clusters that the file does not name; their backups stay',
      zh: '不再备份文件中没有的集群；已有备份保留',
    }),
    check: boolean({
      aliases: ['dry-run'],
      en: 'only read and check the file, and the files that it names on this host',
      zh: '只读取并检查配置文件，以及其中引用的本机文件',
    }),
    ...natsFlags,
    ...natsOpsFlags,
    ...outputFlags,
  },
  examples: [
    {
      command: 'etcd-ops apply --config clusters.yaml --nats nats://10.0.0.5:4222',
      en: 'register the clusters of the file',
      zh: '登记文件中的集群',
    },
  ],
  exitCodes: [10],
  run: async (options) => {
    const { runApply } = await import('../fleet/run-apply.ts');
    await runApply(options);
  },
});
