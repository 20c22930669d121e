import { describeError, EtcdOpsError, isEtcdOpsError } from '../base/errors.ts';
import { readInventory, type Inventory } from '../repository/inventory.ts';
import {
  planRestore,
  timelinesFor,
  without,
  type RestorePlan,
  type RestoreTarget,
} from '../repository/plan-restore.ts';
import { DamagedObjectError } from '../restore/damaged-object.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { adoptDelta, type AdoptTarget } from './adopt-delta.ts';
import { adoptFull } from './adopt-full.ts';
import type { ForeignObject, ForeignRepository } from './foreign-repository.ts';

/** What is wanted of a foreign repository: what makes one target, or all that one timeline holds. */
export type AdoptScope = RestoreTarget | { kind: 'timeline'; timeline?: number | undefined };

export interface AdoptOptions extends AdoptTarget {
  source: ObjectStore;
  repository: ForeignRepository;
  scope: AdoptScope;
  onObject?: (done: number, total: number) => void;
}

export interface Adopted {
  /** Of the native repository in `AdoptTarget.store`: what it holds is sound, with true revisions and whole rows. */
  inventory: Inventory;
  /** The scope as a target for that inventory. */
  target: RestoreTarget;
  /** The foreign object that a native one was made of, for reports: nobody knows the other. */
  foreignKeyOf(nativeKey: string): string;
  /** Foreign objects that are damaged and were gone round. */
  damaged: { key: string; problem: string }[];
}

/**
 * Brings into a native repository what is needed of a foreign one, and nothing else. A damaged object is gone round when the same
 * revision can be made in another way, as `restoreAround` does. Whether `latest` may be older than what was captured, the caller decides.
 * @throws EtcdOpsError as `planRestore`; DamagedObjectError when there is no other way; STORE_..., CANCELLED.
 */
export async function adoptForRestore(options: AdoptOptions): Promise<Adopted> {
  const { repository, scope, store, cluster, signal } = options;
  const adopter = new Adopter(options);
  const damaged: Adopted['damaged'] = [];
  const exclude = new Set<string>();
  let wanted = scope;
  for (;;) {
    const keys = keysFor(without(repository.inventory, exclude), wanted);
    try {
      await adopter.adopt(keys);
      break;
    } catch (error) {
      if (!(error instanceof DamagedObjectError) || scope.kind === 'snapshot') throw error;
      wanted = settled(repository.inventory, wanted);
      exclude.add(error.objectKey);
      damaged.push({ key: error.objectKey, problem: describeError(error) });
      requireAnotherWay(without(repository.inventory, exclude), wanted, error);
    }
  }
  const inventory = await readInventory(store, cluster, { signal });
  const foreignKeyOf = (nativeKey: string): string => adopter.foreignKeyOf(nativeKey);
  return { inventory, target: nativeTarget(scope, wanted, adopter), foreignKeyOf, damaged };
}

/** What `latest` means is settled by what the names promise: damage never silently gives less. */
function settled(inventory: Inventory, scope: AdoptScope): AdoptScope {
  if (scope.kind !== 'latest') return scope;
  const { revision, timeline } = planRestore(inventory, scope, { allowOlder: true });
  return { kind: 'revision', revision, timeline };
}

function requireAnotherWay(inventory: Inventory, scope: AdoptScope, damage: DamagedObjectError): void {
  if (scope.kind === 'timeline') return;
  try {
    keysFor(inventory, scope);
  } catch {
    throw withNewest(inventory, damage);
  }
}

function withNewest(inventory: Inventory, damage: DamagedObjectError): DamagedObjectError {
  try {
    const { revision, timeline } = planRestore(inventory, { kind: 'latest' }, { allowOlder: true });
    return new DamagedObjectError(damage.code, damage.objectKey, {
      ...{ rule: damage.rule, cause: damage.cause, facts: { newest: revision, timeline } },
      remedy: `Without it, revision ${revision} of timeline ${timeline} is the newest that can be restored; ask for it with --revision ${revision} --timeline ${timeline}.`,
    });
  } catch {
    return damage;
  }
}

/** What a target needs, by names. */
function keysFor(inventory: Inventory, scope: AdoptScope): Set<string> {
  switch (scope.kind) {
    case 'timeline': {
      const { fulls, deltas } = timelinesFor(inventory, scope.timeline)[0]!;
      return new Set([...fulls, ...deltas].map(({ key }) => key));
    }
    case 'latest':
    case 'snapshot':
      return keysOf(planRestore(inventory, scope, { allowOlder: true }));
    case 'revision':
      return keysAt(inventory, scope);
    case 'time':
      return keysAround(inventory, scope);
  }
}

function keysOf({ full, deltas }: RestorePlan): Set<string> {
  return new Set([full, ...deltas].map(({ key }) => key));
}

/** Names do not tell how far back the history of a full goes: where no delta leads, the next full above may hold the revision. */
function keysAt(inventory: Inventory, target: Extract<RestoreTarget, { kind: 'revision' }>): Set<string> {
  try {
    return keysOf(planRestore(inventory, target));
  } catch (error) {
    if (!isEtcdOpsError(error, 'REVISION_NOT_RESTORABLE')) throw error;
    const timelines = timelinesFor(inventory, target.timeline);
    const above = timelines.flatMap(({ fulls }) =>
      fulls.filter(({ revision }) => revision >= target.revision).slice(0, 1),
    );
    if (above.length === 0) throw error;
    return new Set(above.map(({ key }) => key));
  }
}

/** The moment lies inside of a delta: what comes before it makes the revision if it was late, what comes after it if it was early. */
function keysAround(inventory: Inventory, target: Extract<RestoreTarget, { kind: 'time' }>): Set<string> {
  const keys = new Set<string>();
  let refusal: unknown;
  try {
    for (const key of keysOf(planRestore(inventory, target))) keys.add(key);
  } catch (error) {
    if (!isEtcdOpsError(error, 'TIME_NOT_RESTORABLE')) throw error;
    refusal = error;
  }
  for (const { timeline, fulls, deltas } of timelinesFor(inventory, target.timeline)) {
    const next = deltas.find(({ lastObservedMs }) => lastObservedMs > target.timeMs);
    if (next === undefined) continue;
    // Its rows are wanted, not a full that makes them superfluous.
    const exclude = new Set(fulls.filter(({ revision }) => revision >= next.first).map(({ key }) => key));
    try {
      const after = planRestore(inventory, { kind: 'revision', revision: next.last, timeline }, { exclude });
      for (const key of keysOf(after)) keys.add(key);
    } catch (error) {
      if (!isEtcdOpsError(error, 'REVISION_NOT_RESTORABLE') && !isEtcdOpsError(error, 'NO_BACKUP')) throw error;
    }
  }
  if (keys.size === 0) throw refusal;
  return keys;
}

function nativeTarget(scope: AdoptScope, wanted: AdoptScope, adopter: Adopter): RestoreTarget {
  if (scope.kind === 'timeline') {
    return { kind: 'latest', ...(scope.timeline === undefined ? {} : { timeline: scope.timeline }) };
  }
  if (scope.kind === 'snapshot') return { kind: 'snapshot', key: adopter.nativeKeyOf(scope.key) };
  return wanted.kind === 'timeline' ? scope : wanted;
}

class Adopter {
  readonly #options: AdoptOptions;
  readonly #objects: Map<string, ForeignObject>;
  readonly #adopted = new Map<string, string>();

  constructor(options: AdoptOptions) {
    this.#options = options;
    this.#objects = new Map(options.repository.objects.map((object) => [object.key, object]));
  }

  async adopt(keys: ReadonlySet<string>): Promise<void> {
    const { source, onObject, signal } = this.#options;
    let done = 0;
    for (const key of keys) {
      if (signal?.aborted === true) throw new EtcdOpsError('CANCELLED', { message: 'The reading was cancelled' });
      const object = this.#objects.get(key)!;
      if (!this.#adopted.has(key)) {
        const createdAtMs = object.createdSeconds * 1000;
        const native =
          object.kind === 'full'
            ? (await adoptFull(source, { ...object, createdAtMs }, this.#options)).key
            : (await adoptDelta(source, object, this.#options)).keys.at(-1)!;
        this.#adopted.set(key, native);
      }
      onObject?.(++done, keys.size);
    }
  }

  foreignKeyOf(native: string): string {
    return [...this.#adopted].find(([, key]) => key === native)?.[0] ?? native;
  }

  nativeKeyOf(foreign: string): string {
    const found = [...this.#adopted].find(([key]) => key === foreign || key.endsWith(`/${foreign}`));
    return found![1];
  }
}
