import { join, resolve } from 'node:path';
import { encodeClusterName } from '@etcd-ops/core';
import type { RepositoryOptions } from '../options/repository-options.ts';

/**
 * Beside the repositories, so that one flag fewer is needed, a stale one is found again, and a full moves
 * from the spool into the repository without being copied.
 */
export function stateDirectory(options: Pick<RepositoryOptions, 'storageProvider' | 'bucket' | 'clusterName'>): string {
  const cluster = encodeClusterName(options.clusterName);
  if (options.storageProvider === 'Local') return join(resolve(options.bucket), '.etcd-ops', cluster);
  // A bucket is no folder here. Its name may hold nothing that leads elsewhere: the store's own rules forbid that before.
  return join(resolve('.etcd-ops'), encodeClusterName(options.bucket), cluster);
}
