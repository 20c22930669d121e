import { setImmediate as nextTurn } from 'node:timers/promises';
import { cancelled, systemClock, type Clock } from '../base/clock.ts';
import { readInventory, type IncompleteEntry } from '../repository/inventory.ts';
import { clusterPrefix, manifestKey, parseObjectKey } from '../repository/object-key.ts';
import { readProofs } from '../repository/read-proofs.ts';
import { holdObjects } from '../retention/hold.ts';
import type { RetentionPolicy } from '../retention/policy.ts';
import { Bandwidth } from '../storage/bandwidth.ts';
import type { ObjectInfo, ObjectStore } from '../storage/object-store.ts';
import { beyondPolicy } from './beyond-policy.ts';
import { COPIED_WHOLE_BYTES_MAX, copyObject, SourceProblem, type CopyObjectOptions } from './copy-object.ts';
import { planCopy, type CopyItem, type CopyPlan, type CopyPlanOptions, type CopySides } from './copy-plan.ts';
import type { CopyScope } from './copy-scope.ts';

const PARALLEL_DEFAULT = 4;

export interface CopyProgress {
  objects: number;
  objectsTotal: number;
  bytes: number;
  bytesTotal: number;
}

export interface CopyOptions {
  source: ObjectStore;
  target: ObjectStore;
  cluster: string;
  scope?: CopyScope;
  /** Of the target: what it would not keep there stays behind. Ten in the source and one a day for a month in the target go together. */
  policy?: RetentionPolicy | undefined;
  /** Decides, once both sides are listed, which fulls and deltas stay behind beside those. */
  exclude?: (sides: CopySides) => Promise<ReadonlySet<string>> | ReadonlySet<string>;
  /** Pins go along with a whole repository unless told. */
  pins?: boolean;
  /** Only plans. */
  dryRun?: boolean;
  /** Small objects on their way at once; large ones go one at a time, their parts side by side. Memory: this times 4 MiB, and the parts. */
  parallel?: number;
  /** Of the bytes that are read. */
  bytesPerSecondMax?: number | undefined;
  clock?: Clock;
  signal?: AbortSignal | undefined;
  onProgress?: (progress: CopyProgress) => void;
}

export interface CopyReport {
  cluster: string;
  /** What was to be copied when it began. */
  planned: { objects: number; bytes: number };
  copied: { objects: number; bytes: number };
  /** What the target held already. */
  present: { objects: number; bytes: number };
  /** Objects of the source that are not sound, and were left behind. */
  damaged: { key: string; reason: string }[];
  /** Halves of fulls in the source, left behind: an upload runs, or was broken off. */
  incomplete: IncompleteEntry[];
  /** Objects that the source's retention took away meanwhile, although they were held. */
  gone: string[];
  /** Files of the source that are of somebody else, left behind. */
  foreign: number;
  /** Why the source did not take a hold: then only the grace of its retention protects what is read. */
  holdProblem?: string;
}

/**
 * Brings what the source holds of a cluster into the target: only what is missing there, so that it may be broken off at any moment and
 * begun again. The target is a sound repository all the while. Nothing is overwritten and nothing deleted; encrypted objects are copied as
 * they are, and no key is needed.
 * @throws EtcdOpsError NO_BACKUP; STORE_EXISTS when the target has another object under one of the names; STORE_..., CANCELLED.
 */
export async function copyRepository(options: CopyOptions): Promise<CopyReport> {
  const { source, target, cluster, scope = { kind: 'all' }, pins = true, dryRun = false, signal } = options;
  const clock = options.clock ?? systemClock;
  await using hold = dryRun ? undefined : await holdObjects(source, { cluster, purpose: 'copy' });
  const sides: CopySides = {
    source: await readSide(source, cluster, signal),
    target: await readSide(target, cluster, signal),
  };
  const planning: CopyPlanOptions = {
    scope,
    pins,
    exclude: await leftBehind(sides, options, clock.now()),
    nowMs: clock.now(),
    targetName: target.description,
  };
  const plan = planCopy(sides, planning);
  const { damaged, incomplete, foreign } = sides.source.inventory;
  const report: CopyReport = {
    cluster,
    planned: { objects: plan.objects, bytes: plan.bytes },
    copied: { objects: 0, bytes: 0 },
    present: plan.present,
    damaged: [...damaged],
    incomplete,
    gone: [],
    foreign: foreign.length,
    ...(hold?.problem === undefined ? {} : { holdProblem: hold.problem }),
  };
  if (!dryRun) await runAround(new CopyRun(plan, report, { ...options, clock }), sides, planning);
  return report;
}

/** Small deltas stay behind for a larger one, which nobody has read before: when that one is not sound, they are needed after all. */
async function runAround(run: CopyRun, sides: CopySides, planning: CopyPlanOptions): Promise<void> {
  let known = 0;
  for (await run.run(); run.leftBehind.size > known; await run.runMore(planCopy(sides, planning))) {
    known = run.leftBehind.size;
    planning = { ...planning, unusable: deltasOf(run.leftBehind) };
  }
}

function deltasOf(keys: ReadonlySet<string>): Set<string> {
  return new Set([...keys].filter((key) => parseObjectKey(key)?.kind === 'delta'));
}

async function leftBehind(sides: CopySides, options: CopyOptions, nowMs: number): Promise<Set<string>> {
  const chosen = new Set(await options.exclude?.(sides));
  const { policy, source, target, cluster, signal } = options;
  if (policy === undefined) return chosen;
  const proofs = await Promise.all([source, target].map(async (store) => await readProofs(store, cluster, { signal })));
  const proven = proofs
    .flatMap(({ provenChains }) => provenChains)
    .toSorted((left, right) => Date.parse(right.record.provedAt) - Date.parse(left.record.provedAt));
  const provenFullKeys = proven.map(({ record }) => record.full);
  return new Set([...chosen, ...beyondPolicy(sides, { policy, nowMs, provenFullKeys })]);
}

async function readSide(
  store: ObjectStore,
  cluster: string,
  signal: AbortSignal | undefined,
): Promise<CopySides['source']> {
  // The listing first: an object that a manifest in the inventory speaks of is in it, or is copied the next time.
  const objects = new Map<string, ObjectInfo>();
  for await (const found of store.list(clusterPrefix(cluster), signal === undefined ? {} : { signal })) {
    objects.set(found.key, found);
  }
  const inventory = await readInventory(store, cluster, { signal });
  const isListed = ({ key }: { key: string }): boolean => objects.has(key);
  const timelines = inventory.timelines.map((timeline) => ({
    ...timeline,
    fulls: timeline.fulls.filter((full) => isListed(full) && objects.has(manifestKey(full.key))),
    deltas: timeline.deltas.filter(isListed),
  }));
  return { inventory: { ...inventory, timelines }, objects };
}

class CopyRun {
  #plan: CopyPlan;
  readonly #report: CopyReport;
  readonly #options: CopyOptions;
  readonly #bandwidth: Bandwidth | undefined;
  readonly #abort = new AbortController();
  readonly #signal: AbortSignal;
  readonly #tried = new Set<string>();
  /** Not sound, or gone. */
  readonly leftBehind = new Set<string>();
  #objects = 0;
  #bytes = 0;

  constructor(plan: CopyPlan, report: CopyReport, options: CopyOptions & { clock: Clock }) {
    this.#plan = plan;
    this.#report = report;
    this.#options = options;
    const { bytesPerSecondMax, clock, signal } = options;
    this.#bandwidth = bytesPerSecondMax === undefined ? undefined : new Bandwidth(bytesPerSecondMax, clock);
    this.#signal = signal === undefined ? this.#abort.signal : AbortSignal.any([this.#abort.signal, signal]);
  }

  async run(): Promise<void> {
    const { parallel = PARALLEL_DEFAULT } = this.#options;
    for (const stage of this.#plan.stages) {
      const small = stage.filter((item) => item.kind !== 'full' && item.bytes <= COPIED_WHOLE_BYTES_MAX);
      const large = stage.filter((item) => !small.includes(item));
      await this.#runSide(small, parallel);
      await this.#runSide(large, 1);
    }
  }

  /** What another plan has beyond those that were run. */
  async runMore(plan: CopyPlan): Promise<void> {
    const stages = plan.stages.map((stage) => stage.filter(({ key }) => !this.#tried.has(key)));
    const items = stages.flat();
    const bytes = items.reduce((sum, item) => sum + item.bytes, this.#plan.bytes);
    this.#plan = { ...this.#plan, stages, objects: this.#plan.objects + items.length, bytes };
    await this.run();
  }

  /** The first failure ends it, when what is on its way has come to its end. */
  async #runSide(items: readonly CopyItem[], parallel: number): Promise<void> {
    let next = 0;
    const failures: unknown[] = [];
    const worker = async (): Promise<void> => {
      while (next < items.length && failures.length === 0) {
        try {
          await this.#copy(items[next++]!);
        } catch (error) {
          failures.push(error);
          this.#abort.abort(error);
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(parallel, items.length) }, worker));
    if (failures.length > 0) throw failures[0];
  }

  async #copy(item: CopyItem): Promise<void> {
    this.#tried.add(item.key);
    if (this.#signal.aborted) throw cancelled(this.#signal.reason);
    // Nothing else gives the event loop a turn where both sides are local and small.
    await nextTurn();
    if (this.#isLeftBehind(item)) return this.#done(item.bytes);
    let bytes = 0;
    const { source, target } = this.#options;
    const options: CopyObjectOptions = {
      source,
      target,
      signal: this.#signal,
      pace: async (count) => await this.#bandwidth?.take(count, this.#signal),
      onBytes: (count) => {
        bytes += count;
        this.#bytes += count;
        this.#tell();
      },
    };
    try {
      const made = await copyObject(item, options);
      const counted = made ? this.#report.copied : this.#report.present;
      counted.objects++;
      counted.bytes += item.bytes;
    } catch (error) {
      if (!(error instanceof SourceProblem)) throw error;
      this.leftBehind.add(item.key);
      if (error.kind === 'gone') this.#report.gone.push(item.key);
      else this.#report.damaged.push({ key: item.key, reason: error.message });
    }
    this.#done(item.bytes - bytes);
  }

  /** A full that could not be copied gets no manifest. */
  #isLeftBehind({ kind, key }: CopyItem): boolean {
    if (kind !== 'manifest') return false;
    const parsed = parseObjectKey(key);
    return parsed?.kind === 'manifest' && this.leftBehind.has(parsed.fullKey);
  }

  #done(restBytes: number): void {
    this.#objects++;
    this.#bytes += restBytes;
    this.#tell();
  }

  #tell(): void {
    const { objects: objectsTotal, bytes: bytesTotal } = this.#plan;
    this.#options.onProgress?.({ objects: this.#objects, objectsTotal, bytes: this.#bytes, bytesTotal });
  }
}
