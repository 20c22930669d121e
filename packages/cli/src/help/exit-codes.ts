import type { Said } from './language.ts';

/** What each exit code of the process tells; docs/OPERATIONS.md and the help pages are made from it. */
export const EXIT_CODES: Readonly<Record<number, Said>> = {
  0: { en: 'done; for `demo`: everything was equal', zh: '成功；demo：全部一致' },
  1: { en: 'unexpected failure', zh: '意外错误' },
  2: { en: 'usage or configuration', zh: '用法或配置错误' },
  3: { en: 'nothing to do', zh: '无事可做' },
  4: { en: 'damaged data', zh: '数据损坏' },
  5: { en: 'that revision or time cannot be restored', zh: '该 revision 或时间无法恢复' },
  6: { en: 'no backup in the repository, or none that is young enough', zh: '仓库中没有备份，或没有足够新的备份' },
  7: {
    en: 'the target directory holds data, or lies outside the allowed roots',
    zh: '目标目录已有数据，或不在允许的范围内',
  },
  8: { en: 'etcd', zh: 'etcd 出错' },
  9: { en: 'store', zh: '存储出错' },
  10: { en: 'NATS', zh: 'NATS 出错' },
  11: { en: 'two things that must be equal are not', zh: '应当一致的内容不一致' },
  12: { en: 'environment: a program, the state directory or the disk', zh: '环境问题：程序、状态目录或磁盘' },
  13: { en: 'encrypted, and no identity at hand opens it', zh: '备份已加密，且没有可用的解密密钥' },
  69: { en: 'the first run could not fetch what it needs', zh: '首次运行时无法获取依赖' },
  130: { en: 'cancelled', zh: '已取消' },
};
