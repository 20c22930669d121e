import type { Said } from '../help/language.ts';
import { UsageError } from './usage-error.ts';

export interface Respelt {
  readonly args: readonly string[];
  /** What it was taken for, to be said. */
  readonly note?: Said;
}

/** Of etcdctl and etcdutl; what they do is theirs to do. */
const THEIR_COMMANDS: ReadonlySet<string> = new Set(
  'alarm auth backup check compact compaction defrag del downgrade elect endpoint get hashkv lease lock make-mirror member migrate move-leader put role set txn user watch'.split(
    ' ',
  ),
);

/**
 * Takes what hands that know etcdctl type: `snapshot restore FILE`, `snapshot status FILE`, with flags on either side. What this program does
 * not do is said with what does.
 * @throws UsageError for `snapshot save` and for etcdctl's other commands.
 */
export function respell(args: readonly string[], isOurs: (name: string) => boolean): Respelt {
  const at = args.findIndex(
    (argument, index) => argument === 'snapshot' && /^(save|restore|status)$/.test(args[index + 1] ?? ''),
  );
  if (at >= 0) return respellSnapshot(args, at);
  const [first] = args;
  if (first === undefined || isOurs(first) || !THEIR_COMMANDS.has(first)) return { args };
  throw new UsageError([
    {
      message: { en: `${first} is a command of etcdctl`, zh: `${first} 是 etcdctl 的命令` },
      remedy: {
        en: `Type etcdctl ${first} ...; \`etcd-ops --help\` lists what etcd-ops does.`,
        zh: `请用 etcdctl ${first} ...；\`etcd-ops --help\` 列出 etcd-ops 的全部子命令。`,
      },
    },
  ]);
}

function respellSnapshot(args: readonly string[], at: number): Respelt {
  const verb = args[at + 1];
  const before = args.slice(0, at);
  const [file, ...behind] = args.slice(at + 2);
  const isFile = file !== undefined && !file.startsWith('-');
  const rest = [...before, ...(isFile ? behind : args.slice(at + 2))];
  if (verb === 'save') {
    throw new UsageError([
      {
        message: {
          en: 'etcd-ops keeps backups in a repository, not in single files',
          zh: 'etcd-ops 把备份保存在仓库中，而不是单个文件',
        },
        remedy: {
          en: 'Write etcd-ops snapshot --once --bucket <folder> with the same flags: the full in it is the file that etcdctl would save.',
          zh: '请写 etcd-ops snapshot --once --bucket <目录>，其余参数不变：其中的全量备份与 etcdctl 保存的文件相同。',
        },
      },
    ]);
  }
  const written = isFile ? file : '<file>';
  const command = verb === 'restore' ? ['restore', '--from-file', written] : ['inspect', written];
  if (!isFile) {
    throw new UsageError([
      {
        message: { en: `snapshot ${verb} needs a file`, zh: `snapshot ${verb} 需要一个文件` },
        remedy: { en: `Write etcd-ops ${command.join(' ')}.`, zh: `请写 etcd-ops ${command.join(' ')}。` },
      },
    ]);
  }
  const said = `etcd-ops ${command.join(' ')}`;
  return {
    args: [...command, ...rest],
    note: {
      en: `snapshot ${verb} ${file} is taken for: ${said} ...`,
      zh: `snapshot ${verb} ${file} 视为：${said} ...`,
    },
  };
}
