import { EtcdOpsError, openStore, type ObjectStore, type StoreSpec } from '@etcd-ops/core';
import type { DestinationOptions } from '../options/destination-option.ts';
import type { RepositoryOptions } from '../options/repository-options.ts';
import { storeSpec } from './store-spec.ts';

export type ChosenStoreOptions = RepositoryOptions & DestinationOptions;

/** As `chosenStoreSpec`, opened. */
export async function openChosenStore(options: ChosenStoreOptions): Promise<ObjectStore> {
  return await openStore(await chosenStoreSpec(options));
}

/**
 * The store that the flags name, or the destination of its cluster that `--destination` names: the configuration that lies beside the
 * backups tells where that is.
 * @throws EtcdOpsError CONFIG_INVALID when it does not tell, or the cluster has no such destination; of the first store.
 */
export async function chosenStoreSpec(options: ChosenStoreOptions): Promise<StoreSpec> {
  const { clusterName: cluster, destination: name } = options;
  const first = storeSpec(options);
  if (name === undefined) return first;
  // The words of the bus are half of what a command loads: only who asks for a destination pays for them.
  const [{ readStoredSpec }, { storeOf }] = await Promise.all([
    import('../fleet/stored-specs.ts'),
    import('@etcd-ops/bus'),
  ]);
  const store = await openStore(first);
  try {
    const stored = await readStoredSpec(store, cluster);
    if (stored?.spec === undefined) {
      const { problem = `it holds no repository of ${cluster}` } = stored ?? {};
      throw new EtcdOpsError('CONFIG_INVALID', {
        message: `${store.description} does not tell where the destination ${name} is: ${problem}`,
        remedy: "Name the destination's own --storage-provider and --bucket instead of --destination.",
      });
    }
    const remedy =
      'Give one of these. What was changed since the newest full, delta or collection is not known there yet.';
    return storeOf(stored.spec, name, remedy);
  } finally {
    await store.close?.();
  }
}
