import { type Command, Option } from 'commander';

export interface RepositoryOptions {
  storageProvider: string;
  bucket: string;
  clusterName: string;
}

/** Where backups live: the same three flags on every command that reads or writes them, with the seed tool's defaults. */
export function addRepositoryOptions(command: Command): Command {
  return command
    .addOption(new Option('--storage-provider <name>', 'where backups live').default('Local').env('ETCD_OPS_STORAGE_PROVIDER'))
    .addOption(new Option('--bucket <path>', 'folder (Local) that holds the repositories').default('default.bak').env('ETCD_OPS_BUCKET'))
    .addOption(new Option('--cluster-name <name>', 'the repository of this cluster').default('etcd.bak').env('ETCD_OPS_CLUSTER_NAME'));
}
