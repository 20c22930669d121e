import type { Said } from '../help/language.ts';

/** The headings below which help shows flags, in this order; a command's own flags come first. */
export const SECTIONS = {
  own: { en: 'Options', zh: '选项' },
  point: { en: 'Which moment', zh: '恢复到哪一刻' },
  change: { en: 'What is changed on the way', zh: '恢复时的改动' },
  member: { en: 'The new cluster', zh: '新集群' },
  etcd: { en: 'The etcd cluster', zh: 'etcd 集群' },
  repository: { en: 'Where backups live', zh: '备份存放位置' },
  target: { en: 'Where they go', zh: '复制到哪里' },
  store: { en: 'The object storage (S3, OSS)', zh: '对象存储（S3、OSS）' },
  schedule: { en: 'When', zh: '周期' },
  retention: { en: 'What is kept', zh: '保留策略' },
  compression: { en: 'Compression', zh: '压缩' },
  encryption: { en: 'Encryption', zh: '加密' },
  daemon: { en: 'The daemon', zh: '守护进程' },
  general: { en: 'Output and configuration', zh: '输出与配置' },
} as const satisfies Record<string, Said>;

export type SectionName = keyof typeof SECTIONS;
export const SECTION_NAMES = Object.keys(SECTIONS) as SectionName[];
