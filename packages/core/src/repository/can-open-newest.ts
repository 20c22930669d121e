import { isEtcdOpsError, type EtcdOpsError } from '../base/errors.ts';
import { assertOpens } from '../encryption/age-source.ts';
import type { Identities } from '../encryption/identities.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { storedDeltaSource } from './delta-source.ts';
import { readInventory, type DeltaEntry, type FullEntry } from './inventory.ts';
import { planRestore } from './plan-restore.ts';

export interface NewestOpens {
  /** Whether every encrypted object of the newest state opens with the identities at hand; true when none is encrypted. */
  opens: boolean;
  full: string;
  /** Absent when nothing was changed since the full. */
  newestDelta?: string;
  encrypted: boolean;
  /** Fingerprints of the recipients of the full. */
  recipients: readonly string[];
  /** Why not, for people: names the object and the key that is needed. */
  reason?: string;
}

/**
 * Whether the identities at hand open the newest backup: the headers of its full, of the newest delta above it, and of the first one
 * (what lies between has been encrypted between the two) are tried, and nothing else is read.
 * @throws EtcdOpsError NO_BACKUP, STORE_FAILED, CANCELLED. A damaged header is a reason, no error.
 */
export async function canOpenNewest(
  store: ObjectStore,
  cluster: string,
  identities: Identities | undefined,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<NewestOpens> {
  const inventory = await readInventory(store, cluster, options);
  const { full, deltas } = planRestore(inventory, { kind: 'latest' }, { allowOlder: true });
  const newest = deltas.at(-1);
  const tried = [full, ...(newest === undefined ? [] : [newest, deltas[0]!])].filter(isEncrypted);
  const facts = {
    full: full.key,
    ...(newest === undefined ? {} : { newestDelta: newest.key }),
    encrypted: tried.length > 0,
    recipients: full.manifest.encryption?.recipients ?? [],
  };
  for (const entry of tried) {
    try {
      await assertOpens(entry.key, storedDeltaSource(store, entry, options.signal), identities);
    } catch (error) {
      if (!isOfTheObject(error)) throw error;
      return { ...facts, opens: false, reason: error.message };
    }
  }
  return { ...facts, opens: true };
}

function isEncrypted(entry: FullEntry | DeltaEntry): boolean {
  return 'manifest' in entry ? entry.manifest.encryption !== undefined : entry.encryption !== undefined;
}

function isOfTheObject(error: unknown): error is EtcdOpsError {
  return (
    isEtcdOpsError(error, 'IDENTITY_MISSING') ||
    isEtcdOpsError(error, 'OBJECT_DAMAGED') ||
    isEtcdOpsError(error, 'STORE_NOT_FOUND')
  );
}
