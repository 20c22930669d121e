import { randomBytes } from 'node:crypto';
import { EtcdOpsError } from '../base/errors.ts';
import type { Identities } from '../encryption/identities.ts';
import { readInventory, type Inventory } from '../repository/inventory.ts';
import { planRestore, type RestorePlan, type RestoreTarget } from '../repository/plan-restore.ts';
import { markedKeys, readRetentionRecords } from '../repository/read-retention-records.ts';
import { planRestoreFrom } from '../repository/resolve-time.ts';
import { retentionRecordId, retentionRecordKey } from '../repository/retention-key.ts';
import { encodePin, type PinRecord } from '../repository/retention-records.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { holdObjects } from './hold.ts';

export interface PinOptions {
  cluster: string;
  target: RestoreTarget;
  /** For whoever wonders later. */
  reason: string;
  /** When the pin ends by itself; absent: never. */
  untilMs?: number | undefined;
  nowMs: number;
  /** What opens encrypted deltas: without them, a time is as fine as names tell. */
  identities?: Identities | undefined;
  signal?: AbortSignal | undefined;
}

export interface CreatedPin {
  record: PinRecord;
  /** The objects that the pin keeps. */
  plan: RestorePlan;
  warnings: string[];
}

/**
 * Writes down that a restore point is to stay, whatever the policy says. A time is turned into a revision now, so that it means the
 * same for ever.
 * @throws EtcdOpsError as planning a restore of it does; REVISION_NOT_RESTORABLE when its objects were taken away while it was made.
 */
export async function createPin(store: ObjectStore, options: PinOptions): Promise<CreatedPin> {
  const { cluster, target, reason, untilMs, nowMs, identities, signal } = options;
  const inventory = await readInventory(store, cluster, { signal });
  const planned = await planRestoreFrom(store, inventory, target, { identities, signal });
  const { timeline, revision, full } = planned;
  await using _ = await holdObjects(store, {
    cluster,
    purpose: 'pin',
    chain: { timeline, full: full.key, to: revision },
  });
  const id = retentionRecordId(nowMs, randomBytes(4).toString('hex'));
  const record: PinRecord = {
    version: 1,
    kind: 'pin',
    id,
    cluster,
    timeline,
    revision,
    full: full.key,
    ...(target.kind === 'time' ? { time: new Date(target.timeMs).toISOString() } : {}),
    reason,
    createdAt: new Date(nowMs).toISOString(),
    ...(untilMs === undefined ? {} : { until: new Date(untilMs).toISOString() }),
  };
  const key = retentionRecordKey({ kind: 'pin', cluster, id });
  await store.put(key, encodePin(record));
  try {
    const plan = planStillThere(await readInventory(store, cluster, { signal }), planned);
    const marked = await countMarked(store, cluster, plan, signal);
    const warning = `${marked} of its objects had been marked for removal; a garbage collection that runs just now may have counted on that. \`list\` in a minute tells whether the revision is still there.`;
    return { record, plan, warnings: marked === 0 ? planned.warnings : [...planned.warnings, warning] };
  } catch (error) {
    await store.delete([key]).catch(() => undefined);
    throw error;
  }
}

/** The same revision by what is there now: what the first plan used may have gone while the pin was written. */
function planStillThere(inventory: Inventory, { full, revision, timeline }: RestorePlan): RestorePlan {
  const isThere = inventory.timelines.some(({ fulls }) => fulls.some(({ key }) => key === full.key));
  const isFull = revision === full.revision && isThere;
  return planRestore(
    inventory,
    isFull ? { kind: 'snapshot', key: full.key } : { kind: 'revision', revision, timeline },
  );
}

async function countMarked(
  store: ObjectStore,
  cluster: string,
  { full, deltas }: RestorePlan,
  signal: AbortSignal | undefined,
): Promise<number> {
  const { marks } = await readRetentionRecords(store, cluster, { signal });
  const marked = new Set(marks.flatMap(markedKeys));
  return [full, ...deltas].filter(({ key }) => marked.has(key)).length;
}

/**
 * Takes a pin away. `id`: the whole of it, or its last part.
 * @returns the record; undefined when it could not be read.
 * @throws EtcdOpsError STORE_NOT_FOUND naming the pins that there are.
 */
export async function removePin(
  store: ObjectStore,
  { cluster, id, signal }: { cluster: string; id: string; signal?: AbortSignal | undefined },
): Promise<{ id: string; record?: PinRecord }> {
  const { pins, damaged } = await readRetentionRecords(store, cluster, { signal });
  const keys = [...pins.map(({ key }) => key), ...damaged.filter(({ kind }) => kind === 'pin').map(({ key }) => key)];
  const idOf = (key: string): string => key.slice(key.lastIndexOf('/') + 1, -'.json'.length);
  const found = keys.filter((key) => idOf(key) === id || idOf(key).endsWith(`-${id}`));
  if (found.length !== 1) {
    const known = keys.map(idOf).join(', ');
    throw new EtcdOpsError('STORE_NOT_FOUND', {
      message: `Cluster ${cluster} has no pin ${id}${known === '' ? '; nothing is pinned' : `; its pins: ${known}`}`,
      remedy: '`etcd-ops list` shows the pins.',
    });
  }
  const key = found[0]!;
  await store.delete([key]);
  const record = pins.find((pin) => pin.key === key)?.record;
  return record === undefined ? { id: idOf(key) } : { id: idOf(key), record };
}
