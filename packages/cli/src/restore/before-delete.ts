import {
  findBeforeDelete as findDeletionOf,
  type BeforeDelete,
  type Identities,
  type Inventory,
  type ObjectStore,
} from '@etcd-ops/core';
import type { MomentOptions } from '../options/moment-options.ts';
import { formatCount } from '../output/table.ts';

export type { BeforeDelete };

/** What --before-delete or --before-delete-prefix mean in this repository; undefined when neither was given. */
export async function findBeforeDelete(
  store: ObjectStore,
  inventory: Inventory,
  {
    beforeDelete: key,
    beforeDeletePrefix: prefix,
    timeline,
  }: Pick<MomentOptions, 'beforeDelete' | 'beforeDeletePrefix' | 'timeline'>,
  options: { identities?: Identities | undefined; signal: AbortSignal },
): Promise<BeforeDelete | undefined> {
  return await findDeletionOf(store, inventory, { key, prefix, timeline }, options);
}

/** One line for the table. */
export function describeBeforeDelete(found: BeforeDelete): string {
  const { key, prefix, revision, objectKey, recreatedAt, keysBefore, keysAfter } = found;
  const at = `revision ${formatCount(revision)}, found in ${objectKey}`;
  if (key === undefined) {
    return `${prefix}: ${formatCount(keysBefore ?? 0)} keys lived at ${at}; ${formatCount(keysAfter ?? 0)} afterwards`;
  }
  const again = recreatedAt === undefined ? '' : `; made anew at revision ${formatCount(recreatedAt)}`;
  return `${key} lived last at ${at}${again}`;
}
