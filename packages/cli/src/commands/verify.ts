import { defineCommand } from '../options/define-command.ts';
import { destinationFlags } from '../options/destination-option.ts';
import { boolean, count, directory, text } from '../options/flag.ts';
import { etcdFlags } from '../options/etcd-options.ts';
import { outputFlags, progressFlags } from '../options/general-flags.ts';
import { identityFlags } from '../options/packing-options.ts';
import { layoutFlags } from '../options/layout-options.ts';
import { repositoryFlags } from '../options/repository-options.ts';

/** `etcd-ops verify`: is what is stored sound, whole, and what the cluster held? */
export const verifyCommand = defineCommand({
  name: 'verify',
  task: 'look',
  summary: { en: 'check that backups are sound, and prove what they restore', zh: '校验备份是否完好，并证明其可恢复' },
  description: {
    en: 'Without a depth, reads every byte: checksums, the structure of each full, each delta, and that neighbours hold the same rows. --quick looks at the listing and the manifests alone. --prove rebuilds chains in scratch space, as a restore would, and compares their HashKV with that of the next full and with witnesses: hashes that members of the cluster gave. Needs the store and nothing else. One line for each finding: what, why, what to do. Exit codes: 0 sound, 4 damaged, 11 two things that must be equal are not, 5 sound but not all of it can be restored (or read here).',
    zh: '默认读取全部字节：校验和、全量备份的结构、每个增量备份，以及相邻备份的行是否一致。--quick 只看列表和清单。--prove 像恢复一样在临时目录重建，并将 HashKV 与下一个全量备份以及集群给出的见证（witness）比较。只需要存储。每个发现一行：对象、原因、措施。退出码：0 完好，4 损坏，11 应当一致的内容不一致，5 完好但不能全部恢复（或在此处无法读取）。',
  },
  flags: {
    quick: boolean({
      conflicts: ['prove'],
      en: 'only the listing and the manifests: are names, sizes and chains whole',
      zh: '只检查列表与清单：名称、大小、链是否完整',
    }),
    prove: boolean({
      conflicts: ['quick'],
      en: 'also rebuild every chain and compare it with what the cluster held; needs room for the largest database',
      zh: '同时重建每条链并与集群当时的内容比较；需要容纳最大数据库的空间',
    }),
    snapshot: text({
      section: 'point',
      value: 'key',
      conflicts: ['revision', 'newest'],
      en: 'only this full and the deltas behind it',
      zh: '只校验该全量备份及其后的增量备份',
    }),
    revision: count({
      section: 'point',
      value: 'revision',
      conflicts: ['snapshot', 'newest'],
      en: 'only what makes this revision',
      zh: '只校验恢复该 revision 所需的内容',
    }),
    newest: boolean({
      section: 'point',
      conflicts: ['snapshot', 'revision'],
      en: 'only what a restore of the newest state uses, and the chain before it',
      zh: '只校验恢复最新状态所需的内容及其前一条链',
    }),
    timeline: count({ section: 'point', value: 'number', en: 'only this timeline', zh: '只校验该时间线' }),
    againstCluster: boolean({
      en: 'with --prove: also ask the living cluster for its HashKV at the end of the backups; the member that is asked serves nobody meanwhile',
      zh: '与 --prove 一起使用：同时向运行中的集群询问备份末端的 HashKV；计算期间该成员不提供服务',
    }),
    record: boolean({
      en: 'with --prove: write what was proved into the repository, as the schedule does',
      zh: '与 --prove 一起使用：像定时任务一样把证明结果写入仓库',
    }),
    witnesses: count({
      value: 'count',
      default: 3,
      en: 'how many stored witnesses each chain is compared with, the newest first',
      zh: '每条链与多少个已保存的见证比较（从最新的开始）',
    }),
    tempDir: directory({
      defaultText: { en: "the system's", zh: '系统临时目录' },
      en: 'where chains are rebuilt and compressed fulls are unpacked; emptied again',
      zh: '重建链、解压备份的目录；用后清空',
    }),
    ...identityFlags,
    ...repositoryFlags,
    ...destinationFlags,
    ...layoutFlags,
    ...etcdFlags,
    ...outputFlags,
    ...progressFlags,
  },
  examples: [
    {
      command: 'etcd-ops verify --quick --bucket /var/backups/etcd --cluster-name prod',
      en: 'is anything missing?',
      zh: '是否缺少内容？',
    },
    {
      command: 'etcd-ops verify --prove --newest --bucket /var/backups/etcd --cluster-name prod',
      en: 'would a restore of now give what the cluster held?',
      zh: '现在恢复能否得到集群当时的内容？',
    },
    {
      command: 'etcd-ops verify --prove --revision 123456 --bucket /var/backups/etcd --cluster-name prod',
      en: 'before a restore to one revision',
      zh: '恢复到某个 revision 之前',
    },
  ],
  exitCodes: [4, 5, 6, 8, 9, 11, 12, 13],
  run: async (options) => {
    const { runVerify } = await import('../verify/run-verify.ts');
    await runVerify(options);
  },
});
