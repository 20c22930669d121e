import { defineCommand } from '../options/define-command.ts';
import { boolean, choice, directory, list, text } from '../options/flag.ts';
import { outputFlags, progressFlags } from '../options/general-flags.ts';
import { packingFlags } from '../options/packing-options.ts';
import { repositoryFlags, uploadFlags } from '../options/repository-options.ts';

/** `etcd-ops import`: backups that another tool made become a repository of ours. */
export const importCommand = defineCommand({
  name: 'import',
  task: 'care',
  summary: { en: 'take over the backups of another tool', zh: '导入其他工具的备份' },
  description: {
    en: 'Copies what the older etcd-ops, gardener etcd-backup-restore, `etcdctl snapshot save` or k3s wrote into a repository of ours: fulls with manifests, deltas as whole rows with their leases, each history in its own timeline. All of it is checked on the way: SHA-256, every page, revisions without a hole. Damaged snapshots are named and left out (exit code 4). The source is only read, nothing is overwritten, and an import that was broken off goes on where it was. Into an empty repository, or one that imports made: begin capture afterwards. Exit code 3 when all is there already.',
    zh: '将旧版 etcd-ops、gardener etcd-backup-restore、`etcdctl snapshot save` 或 k3s 的备份复制为本工具的仓库：全量备份带清单，增量备份为包含租约的完整行，每段历史为一个时间线。过程中全部校验：SHA-256、每一页、revision 连续性。损坏的备份会列出并跳过（退出码 4）。只读取来源，不覆盖任何内容，中断后可继续。只能导入空仓库或由导入生成的仓库：请在开始备份之前导入。全部已存在时退出码为 3。',
  },
  flags: {
    fromFiles: list({
      value: 'files',
      completes: 'file',
      conflicts: ['from-dir', 'from-bucket'],
      en: 'files of `etcdctl snapshot save` or of k3s (also its .zip), or directories of them; each becomes a full',
      zh: '`etcdctl snapshot save` 或 k3s 的快照文件（包括 .zip），或其所在目录；每个文件成为一个全量备份',
    }),
    fromDir: directory({
      conflicts: ['from-bucket'],
      en: 'the local folder that is the bucket (the container) of the other tool',
      zh: '其他工具所用的本地 bucket（container）目录',
    }),
    fromBucket: text({
      value: 'bucket',
      en: 'the bucket of the other tool, reached as --bucket is',
      zh: '其他工具的 bucket，连接方式与 --bucket 相同',
    }),
    fromClusterName: text({
      value: 'name',
      aliases: ['from-prefix', 'from-store-prefix'],
      defaultText: { en: '--cluster-name', zh: '同 --cluster-name' },
      en: 'its folder there: --cluster-name of the older etcd-ops, --store-prefix of gardener',
      zh: '其中的目录：旧版 etcd-ops 的 --cluster-name，gardener 的 --store-prefix',
    }),
    layout: choice(['auto', 'seed', 'gardener'], {
      default: 'auto',
      en: 'whose form: that of the older etcd-ops (Backup-YYYYMMDD/) or of gardener (v2/, v1/); auto looks',
      zh: '备份格式：旧版 etcd-ops（Backup-YYYYMMDD/）或 gardener（v2/、v1/）；auto 自动识别',
    }),
    clusterId: text({
      value: 'id',
      defaultText: { en: 'not known', zh: '未知' },
      en: 'id of the etcd cluster, in hex or as `etcdctl endpoint status -w fields` prints it: with it, capture goes on in the imported timeline if the cluster still has its last revision; without it, in a new one',
      zh: 'etcd 集群 ID，十六进制或 `etcdctl endpoint status -w fields` 的输出：提供后，若集群仍有导入的最后一个 revision，备份将接续该时间线；否则开始新的时间线',
    }),
    dryRun: boolean({ en: 'only say what would be imported', zh: '只显示将要导入的内容' }),
    tempDir: directory({
      defaultText: { en: "the system's", zh: '系统临时目录' },
      en: 'where each snapshot is unpacked and checked; room for the largest, emptied again',
      zh: '解压与校验快照的临时目录，需容纳最大的快照；用后清空',
    }),
    ...packingFlags,
    ...repositoryFlags,
    ...uploadFlags,
    ...outputFlags,
    ...progressFlags,
  },
  examples: [
    {
      command:
        'etcd-ops import --dry-run --from-dir ~/default.bkp --from-cluster-name etcd --bucket /var/backups/etcd --cluster-name prod',
      en: 'what is there, and what would be taken over?',
      zh: '有哪些备份，将导入哪些？',
    },
    {
      command:
        'etcd-ops import --from-dir default.bak --from-cluster-name etcd.bak --bucket /var/backups/etcd --cluster-name prod --enable-compression --compression-policy zstd',
      en: 'everything of the older etcd-ops, compressed anew',
      zh: '导入旧版 etcd-ops 的全部备份并重新压缩',
    },
    {
      command:
        'etcd-ops import --from-files /var/lib/rancher/k3s/server/db/snapshots --bucket /var/backups/etcd --cluster-name k3s',
      en: 'all snapshots of a k3s server',
      zh: '导入 k3s 服务器的全部快照',
    },
  ],
  exitCodes: [3, 4, 6, 7, 9, 12],
  run: async (options) => {
    const { runImport } = await import('../layouts/run-import.ts');
    await runImport(options);
  },
});
