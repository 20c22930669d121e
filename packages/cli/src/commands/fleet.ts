import { defineCommand } from '../options/define-command.ts';
import { boolean, count, directory } from '../options/flag.ts';
import { outputFlags, yesFlags } from '../options/general-flags.ts';
import { natsFlags, natsOpsFlags } from '../options/nats-options.ts';
import { repositoryFlags } from '../options/repository-options.ts';

const { clusterName: _, ...storeFlags } = repositoryFlags;

/** `etcd-ops fleet rebuild`: the clusters under care, out of the store. */
export const fleetCommand = defineCommand({
  name: 'fleet',
  task: 'fleet',
  summary: { en: 'rebuild the configuration of a fleet from its store', zh: '从存储重建整个集群配置' },
  description: {
    en: 'The configuration of each cluster is kept beside its backups, in cluster.json, by the first full, delta or collection behind a change. rebuild reads these records, shows what it would register, asks, and registers the clusters that NATS does not know; those that it knows are left alone. Passwords and keys are never in the store: the files that a configuration names must be on the hosts again. Whoever can write to the store can change the records: look at the endpoints before you say yes.',
    zh: '集群配置保存在备份旁的 cluster.json 中，变更后由第一个全量、增量备份或清理任务更新。rebuild 读取这些记录，显示将要登记的内容并询问，然后登记 NATS 中没有的集群；已有的保持不变。密码与密钥从不写入存储：配置所指的文件须已在各主机上。能写入存储的人也能修改这些记录：确认前请核对 endpoints。',
  },
  argument: {
    name: 'action',
    required: true,
    choices: ['rebuild'],
    en: 'what is done: rebuild',
    zh: '操作：rebuild',
  },
  flags: {
    fromStore: boolean({
      default: true,
      en: 'read the records of the store that the flags name; nothing else can be rebuilt from',
      zh: '读取参数所指存储中的记录；这是唯一的来源',
      notInFile: true,
    }),
    thisStore: boolean({
      en: 'the clusters store from now on where their records were found, instead of where the records say',
      zh: '集群此后备份到找到记录的存储，而不是记录中所写的存储',
      notInFile: true,
    }),
    dryRun: boolean({ en: 'only show what would be registered', zh: '只显示将要登记的内容', notInFile: true }),
    ...storeFlags,
    replicas: count({
      default: 1,
      en: 'copies of each stream, where they are not there yet: 3 on a NATS of three nodes',
      zh: '新建流的副本数：三节点 NATS 用 3',
    }),
    stateDir: directory({
      section: 'daemon',
      en: 'state directory of the daemon',
      zh: '守护进程的状态目录',
      defaultText: { en: '<bucket>/.etcd-ops/up', zh: '<bucket>/.etcd-ops/up' },
    }),
    ...natsFlags,
    nats: { ...natsFlags.nats, defaultText: { en: 'the private one of --state-dir', zh: '--state-dir 的内置 NATS' } },
    ...natsOpsFlags,
    ...yesFlags,
    ...outputFlags,
  },
  examples: [
    {
      command: 'etcd-ops fleet rebuild --from-store --bucket /var/backups/etcd --nats nats://nats:4222 --dry-run',
      en: 'which clusters would come back?',
      zh: '会恢复哪些集群？',
    },
  ],
  exitCodes: [6, 9, 10],
  run: async (options) => {
    const { runRebuild } = await import('../fleet/run-rebuild.ts');
    await runRebuild(options);
  },
});
