import {
  EtcdOpsError,
  findDeletion,
  type FoundDeletion,
  type Identities,
  type Inventory,
  type ObjectStore,
} from '@etcd-ops/core';
import type { MomentOptions } from '../options/moment-options.ts';
import { formatCount } from '../output/table.ts';

/** The deletion that a restore goes back before. */
export interface BeforeDelete extends FoundDeletion {
  /** What was asked for: one of the two. */
  key?: string;
  prefix?: string;
}

/**
 * What --before-delete or --before-delete-prefix mean in this repository; undefined when neither was given.
 * @throws EtcdOpsError REVISION_NOT_RESTORABLE when no such deletion was captured.
 */
export async function findBeforeDelete(
  store: ObjectStore,
  inventory: Inventory,
  options: Pick<MomentOptions, 'beforeDelete' | 'beforeDeletePrefix' | 'timeline'>,
  { identities, signal }: { identities?: Identities | undefined; signal: AbortSignal },
): Promise<BeforeDelete | undefined> {
  const { beforeDelete: key, beforeDeletePrefix: prefix, timeline } = options;
  if (key === undefined && prefix === undefined) return undefined;
  const bytes = (text: string | undefined): Buffer | undefined => (text === undefined ? undefined : Buffer.from(text));
  const found = await findDeletion(store, inventory, {
    key: bytes(key),
    prefix: bytes(prefix),
    timeline,
    identities,
    signal,
  });
  if (found !== undefined) return { ...(key === undefined ? { prefix: prefix! } : { key }), ...found };
  throw new EtcdOpsError('REVISION_NOT_RESTORABLE', {
    message:
      key === undefined
        ? `No loss of more than half of the keys below ${prefix} is in what can be restored of this timeline`
        : `No deletion of ${key} is in what can be restored of this timeline`,
    remedy:
      'Check the spelling: keys are compared byte by byte. If the backups reach not far enough back, or it was deleted on another timeline, `etcd-ops list` shows both.',
  });
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
