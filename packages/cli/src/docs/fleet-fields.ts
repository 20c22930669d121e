export const APPLY_CHECKED = {
  'clusters[].name': 'a cluster of the file',
  'clusters[].endpoints[]': 'its endpoints',
  'warnings[]': 'what cannot be read here, or will surprise',
};

export const APPLY = {
  'added[]': 'clusters that are cared for from now on',
  'changed[]': 'clusters whose spec differs now',
  'removed[]': 'with --prune: clusters that are cared for no longer',
};

/** `cluster add|edit|remove`. */
export const CLUSTER_CHANGED = {
  dryRun: 'true: nothing was changed',
  'changes[].cluster': 'a cluster',
  'changes[].action': '`added`, `edited`, `removed`, or `unchanged` when it was so already',
  'changes[].revision': 'of its configuration from now on; `--revision` takes it',
  'changes[].backups': 'where its backups lie; they stay there when it is removed',
  'changes[].warnings[]': 'what should be known',
};

export const CLUSTER_LIST = {
  'clusters[].name': 'a cluster',
  'clusters[].revision': 'of its configuration',
  'clusters[].spec.*': 'its configuration, as docs/MESSAGES.md has it; secrets are only referred to',
  'clusters[].problem': 'why its configuration cannot be read by this version',
};

export const CLUSTER_SHOWN = {
  name: 'the cluster',
  revision: 'of its configuration; `edit --revision` takes it',
  'spec.*': 'its configuration, as docs/MESSAGES.md has it; secrets are only referred to',
};

export const REBUILT = {
  dryRun: 'true: nothing was changed',
  'clusters[].cluster': 'a repository of the store',
  'clusters[].action':
    '`add`: registered, or with --dry-run would be; `known`: NATS knows it, left alone; `unreadable`: has to be added by hand',
  'clusters[].spec.*': 'the configuration to be registered, as docs/MESSAGES.md has it',
  'clusters[].specAt': 'when it was kept',
  'clusters[].warnings[]': 'what should be known, or why it cannot be read',
};
