import {
  EtcdOpsError,
  isEtcdOpsError,
  readForeignRepository,
  readInventory,
  type ForeignLayout,
  type ForeignRepository,
  type Inventory,
  type ObjectStore,
} from '@etcd-ops/core';
import type { LayoutOptions } from '../options/layout-options.ts';
import { openChosenStore, type ChosenStoreOptions } from '../restore/chosen-store.ts';

export interface ReadLayout {
  store: ObjectStore;
  inventory: Inventory;
  /** Of another tool: the inventory is what names tell. */
  foreign?: ForeignRepository;
}

/**
 * The repository of a cluster in whatever form it is. `auto` takes our own where there is anything of it, and else looks for those of
 * other tools in the folder of the very name.
 * @throws EtcdOpsError NO_BACKUP when a layout was named and there is nothing of it; STORE_..., CANCELLED.
 */
export async function readLayout(
  options: ChosenStoreOptions & LayoutOptions,
  signal?: AbortSignal,
): Promise<ReadLayout> {
  const { layout, clusterName } = options;
  const store = await openChosenStore(options);
  if (layout === 'seed' || layout === 'gardener') {
    const foreign = await readForeignRepository(store, clusterName, { layout, signal });
    if (foreign !== undefined) return { store, inventory: foreign.inventory, foreign };
    throw nothingOf(layout, store, clusterName);
  }
  const inventory = await readInventory(store, clusterName, { signal });
  if (layout === 'native' || isBegun(inventory)) return { store, inventory };
  const foreign = await findForeign(store, clusterName, signal);
  return foreign === undefined ? { store, inventory } : { store, inventory: foreign.inventory, foreign };
}

function isBegun({ timelines, incomplete, damaged }: Inventory): boolean {
  return timelines.length + incomplete.length + damaged.length > 0;
}

async function findForeign(
  store: ObjectStore,
  folder: string,
  signal: AbortSignal | undefined,
): Promise<ForeignRepository | undefined> {
  try {
    return await readForeignRepository(store, folder, { signal });
  } catch (error) {
    // A name that can be no folder as it stands: other tools have nothing there.
    if (isEtcdOpsError(error, 'STORE_KEY_INVALID')) return undefined;
    throw error;
  }
}

function nothingOf(layout: ForeignLayout, store: ObjectStore, folder: string): EtcdOpsError {
  const place = layout === 'seed' ? `${folder}/Backup-<date>/` : `${folder}/v2/`;
  return new EtcdOpsError('NO_BACKUP', {
    message: `${store.description} holds no Full-... or Incr-... in ${place}`,
    remedy: 'Check --bucket (the container) and --cluster-name (the prefix, without /v2 at its end).',
  });
}
