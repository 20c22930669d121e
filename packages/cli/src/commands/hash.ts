import { defineCommand } from '../options/define-command.ts';
import { count, directory } from '../options/flag.ts';
import { outputFlags, progressFlags } from '../options/general-flags.ts';
import { identityFlags } from '../options/packing-options.ts';

/** `etcd-ops hash`: HashKV of a file, to be compared with that of a living etcd. */
export const hashCommand = defineCommand({
  name: 'hash',
  task: 'look',
  summary: { en: 'compute the HashKV of a file, as etcd does', zh: '按 etcd 的算法计算文件的 HashKV' },
  description: {
    en: 'Computes what `etcdctl endpoint hashkv --rev` answers, out of a full, a copied db or a stopped data directory. Hashes can be compared when revision and compact revision are equal; --compact-revision hashes as a store that was compacted there. Reads only.',
    zh: '从全量备份、拷贝的 db 或已停止的数据目录计算 `etcdctl endpoint hashkv --rev` 的结果。revision 与压缩 revision 都相同时才可比较；--compact-revision 按在该处压缩过的存储计算。只读。',
  },
  argument: { name: 'file', required: true, en: 'a database file or a data directory', zh: '数据库文件或数据目录' },
  flags: {
    revision: count({
      value: 'revision',
      defaultText: { en: 'the newest of the file', zh: '文件中的最新 revision' },
      en: 'the newest revision that counts',
      zh: '计算到该 revision',
    }),
    compactRevision: count({
      value: 'revision',
      defaultText: { en: "the file's own", zh: '文件自身的压缩 revision' },
      en: 'as if it had been compacted there',
      zh: '视为在该 revision 压缩过',
    }),
    tempDir: directory({
      defaultText: { en: "the system's", zh: '系统临时目录' },
      en: 'where a compressed full is unpacked meanwhile',
      zh: '临时解压压缩备份的目录',
    }),
    ...identityFlags,
    ...outputFlags,
    ...progressFlags,
  },
  examples: [
    { command: 'etcd-ops hash snapshot.db --revision 184467', en: 'at one revision', zh: '某个 revision' },
    {
      command: 'etcd-ops hash snapshot.db --revision 184467 --compact-revision 180000 -o json',
      en: 'what a member compacted at 180000 says',
      zh: '与在 180000 压缩过的成员比较',
    },
  ],
  exitCodes: [4, 5, 7, 9, 12, 13],
  run: async (options, argument) => {
    const { runHash } = await import('../inspect/run-hash.ts');
    await runHash(options, argument!);
  },
});
