import { defineCommand } from '../options/define-command.ts';
import { directory } from '../options/flag.ts';
import { outputFlags, progressFlags } from '../options/general-flags.ts';
import { identityFlags } from '../options/packing-options.ts';

/** `etcd-ops inspect`: any file or directory that etcd or etcd-ops writes, without a repository around it. */
export const inspectCommand = defineCommand({
  name: 'inspect',
  task: 'look',
  summary: {
    en: 'read one file or data directory: what is in it, is it sound',
    zh: '检查一个文件或数据目录：内容是什么，是否完好',
  },
  description: {
    en: 'Recognises a full (also a compressed one, a file of `etcdctl snapshot save`, a copied db), a delta, a manifest, a write-ahead log, a raft snapshot or a data directory; says what is in it and checks all of it. Says, too, when there is data of the old v2 API, which no v3 backup carries. Exit code 4 when it is not sound. Reads only.',
    zh: '识别全量备份（包括压缩的、etcdctl snapshot save 的文件、拷贝的 db）、增量备份、清单、WAL、raft 快照或数据目录，说明其内容并完整校验。若含有 v3 备份不会包含的 v2 API 数据也会指出。不完好时退出码为 4。只读。',
  },
  argument: { name: 'file', required: true, en: 'a file or a directory', zh: '文件或目录' },
  flags: {
    walDir: directory({
      en: 'the write-ahead log of a data directory, when it is elsewhere',
      zh: 'WAL 目录（与数据目录分开时）',
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
    {
      command: 'etcd-ops inspect snapshot.db',
      en: 'a file of `etcdctl snapshot save`',
      zh: 'etcdctl snapshot save 的文件',
    },
    {
      command: 'etcd-ops inspect /var/lib/etcd',
      en: 'the data directory of an etcd that is stopped',
      zh: '已停止的 etcd 的数据目录',
    },
    {
      command: 'etcd-ops inspect /var/lib/etcd/member/wal/0000000000000000-0000000000000000.wal -o json',
      en: 'one segment of a log, for programs',
      zh: '单个 WAL 文件，JSON 输出',
    },
  ],
  exitCodes: [4, 7, 9, 12, 13],
  run: async (options, argument) => {
    const { runInspect } = await import('../inspect/run-inspect.ts');
    await runInspect(options, argument!);
  },
});
