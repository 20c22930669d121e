import { resolve } from 'node:path';
import type { ClusterSpec } from '@etcd-ops/bus';
import { EtcdOpsError } from '@etcd-ops/core';
import type { RepositoryOptions } from '../options/repository-options.ts';

/** @throws EtcdOpsError CONFIG_INVALID for a provider that is not there. */
export function storeSpec({ storageProvider, bucket }: RepositoryOptions): ClusterSpec['store'] {
  if (storageProvider.toLowerCase() === 'local') return { provider: 'Local', bucket: resolve(bucket) };
  throw new EtcdOpsError('CONFIG_INVALID', {
    message: `The storage provider ${storageProvider} is not supported`,
    remedy: 'Use --storage-provider Local.',
  });
}
