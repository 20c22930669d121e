import type { OptionsOf } from './define-command.ts';
import { directory, text } from './flag.ts';

/** Where backups live: the same three flags on every command that reads or writes them, with the seed tool's defaults. */
export const repositoryFlags = {
  storageProvider: text({
    section: 'repository',
    value: 'name',
    default: 'Local',
    en: 'what kind of store holds them',
    zh: '对象存储提供商',
  }),
  bucket: directory({
    section: 'repository',
    aliases: ['store-container'],
    default: 'default.bak',
    en: 'the folder (Local) that holds the repositories',
    zh: '存放备份的主机目录（Local）',
  }),
  clusterName: text({
    section: 'repository',
    value: 'name',
    aliases: ['prefix', 'store-prefix'],
    default: 'etcd.bak',
    en: 'the repository of this cluster, a folder below the bucket',
    zh: 'bucket 下该集群的备份目录',
  }),
};

export type RepositoryOptions = OptionsOf<typeof repositoryFlags>;
