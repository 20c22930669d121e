import type { OptionsOf } from './define-command.ts';
import { choice, directory } from './flag.ts';

/** Whose form the backups have: on the commands that read them. */
export const layoutFlags = {
  layout: choice(['auto', 'native', 'seed', 'gardener'], {
    section: 'repository',
    default: 'auto',
    en: 'whose form the backups have: our own, that of the older etcd-ops (Backup-YYYYMMDD/), or that of gardener etcd-backup-restore (v2/); auto looks',
    zh: '备份的目录格式：本工具、旧版 etcd-ops（Backup-YYYYMMDD/）或 gardener etcd-backup-restore（v2/）；auto 自动识别',
  }),
};

/** On the commands that have to put such backups down somewhere before they use them. */
export const adoptingFlags = {
  ...layoutFlags,
  tempDir: directory({
    section: 'repository',
    aliases: ['restore-temp-snapshots-dir', 'restoration-temp-snapshots-dir'],
    defaultText: { en: "the system's", zh: '系统临时目录' },
    en: 'where backups in the form of another tool are translated; room for one full and its deltas, emptied again',
    zh: '转换其他工具备份时的临时目录，需容纳一个全量及其增量；用后清空',
  }),
};

export type LayoutOptions = OptionsOf<typeof layoutFlags>;
export type AdoptingOptions = OptionsOf<typeof adoptingFlags>;
