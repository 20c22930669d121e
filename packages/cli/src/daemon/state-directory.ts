import { join, resolve } from 'node:path';
import { encodeClusterName } from '@etcd-ops/core';
import type { RepositoryOptions } from '../options/repository-options.ts';

/**
 * Beside the repositories, so that one flag fewer is needed, a stale one is found again, and a full moves
 * from the spool into the repository without being copied.
 */
export function stateDirectory({ bucket, clusterName }: Pick<RepositoryOptions, 'bucket' | 'clusterName'>): string {
  return join(resolve(bucket), '.etcd-ops', encodeClusterName(clusterName));
}
