import { EtcdOpsError } from '../base/errors.ts';
import { chooseDeltas } from '../repository/choose-deltas.ts';
import { DeltaCoverage } from '../repository/coverage.ts';
import { foldsIn } from '../repository/planned-leases.ts';
import type { DeltaEntry, Inventory, LeaseEntry } from '../repository/inventory.ts';

export interface MergePolicy {
  /** Windows of time, ascending: the deltas of each become one object. Each MUST be a whole multiple of the one before it. */
  windowsMs: readonly number[];
  /** A window is left alone until it has been over for so long: an uploader that was away may still store deltas of it. */
  settleMs: number;
  /** A window whose deltas have more stored bytes stays as it is, as smaller windows left it. */
  bytesMax: number;
}

/** Some minutes, an hour, a day: a week of deltas of 10 s is then read from some dozens of objects. */
export const MERGE_WINDOWS_MS: readonly number[] = [5 * 60_000, 3_600_000, 86_400_000];
export const MERGE_SETTLE_MS = 10 * 60_000;
export const MERGE_BYTES_MAX = 512 * 1024 * 1024;

/** Deltas that become one: all revisions from `first` to `last`. */
export interface MergeJob {
  cluster: string;
  timeline: number;
  windowMs: number;
  first: number;
  last: number;
  /** In order; they may overlap. */
  inputs: DeltaEntry[];
  /** Lease objects whose records go into it: of revisions from `first` on, below `last`. */
  leases: LeaseEntry[];
  /** Stored bytes of the deltas. */
  bytes: number;
}

/** What a merge failed at not long ago. */
export interface MergeDoubts {
  /** Deltas that are left out, as if they were not there: what lies on both sides of a hole is merged each by itself. */
  keys: ReadonlySet<string>;
  /** By `windowName`: left alone, which leaves the smaller windows inside to be merged. */
  windows: ReadonlySet<string>;
}

/** Names the window within its cluster. */
export function windowName({ timeline, first, last }: Pick<MergeJob, 'timeline' | 'first' | 'last'>): string {
  return `${timeline}/${first}-${last}`;
}

/**
 * Which deltas to merge. Pure, and blind to who merged what before: a window that one object covers is done, whichever objects a merge
 * of it reads, the result has the same name and bytes, so any number of mergers may be at work. The largest windows come first, so that
 * what lay unmerged for long is read once.
 */
export function planMerges(
  inventory: Inventory,
  policy: MergePolicy,
  nowMs: number,
  { keys, windows }: MergeDoubts = { keys: new Set(), windows: new Set() },
): MergeJob[] {
  assertPolicy(policy);
  return inventory.timelines.flatMap((timeline) => {
    const { cluster } = inventory;
    const isLeft = ({ first, last }: Span): boolean =>
      windows.has(windowName({ timeline: timeline.timeline, first, last }));
    const sound = timeline.deltas.filter(({ key }) => !keys.has(key));
    const leases = (timeline.leases ?? []).filter(({ key }) => !keys.has(key));
    const jobs = runsOf(sound).flatMap((run) => planRun({ cluster, ...timeline, isLeft }, run, policy, nowMs));
    return jobs.map((job) => ({ ...job, leases: leases.filter((entry) => foldsIn(job, entry)) }));
  });
}

type Span = Pick<MergeJob, 'first' | 'last'>;

interface Run {
  from: number;
  /** By last revision. */
  deltas: DeltaEntry[];
  /** When each had been seen, never falling: clocks of several hosts may be apart. */
  timesMs: number[];
}

function planRun(
  { cluster, timeline, isLeft }: Pick<MergeJob, 'cluster' | 'timeline'> & { isLeft: (window: Span) => boolean },
  run: Run,
  policy: MergePolicy,
  nowMs: number,
): Omit<MergeJob, 'leases'>[] {
  const jobs: Omit<MergeJob, 'leases'>[] = [];
  for (const windowMs of policy.windowsMs.toReversed()) {
    const nearby = new NearbyDeltas(run.deltas);
    for (const { first, last } of closedWindows(run, windowMs, nowMs - policy.settleMs)) {
      const candidates = nearby.touching(first, last);
      if (isLeft({ first, last }) || jobs.some((job) => job.first <= first && job.last >= last)) continue;
      const inputs = chooseDeltas(candidates, first - 1, last) ?? [];
      const bytes = inputs.reduce((sum, delta) => sum + delta.bytes, 0);
      if (inputs.length < 2 || bytes > policy.bytesMax) continue;
      jobs.push({ cluster, timeline, windowMs, first, last, inputs, bytes });
    }
  }
  return jobs.toSorted((left, right) => left.first - right.first);
}

/** The deltas around one range of revisions after the other, in ascending order, without looking at all of them each time. */
class NearbyDeltas {
  readonly #byFirst: readonly DeltaEntry[];
  #next = 0;
  #near: DeltaEntry[] = [];

  constructor(deltas: readonly DeltaEntry[]) {
    this.#byFirst = deltas.toSorted((left, right) => left.first - right.first);
  }

  touching(first: number, last: number): readonly DeltaEntry[] {
    while (this.#next < this.#byFirst.length && this.#byFirst[this.#next]!.first <= last) {
      this.#near.push(this.#byFirst[this.#next++]!);
    }
    return (this.#near = this.#near.filter((delta) => delta.last >= first));
  }
}

/** The revisions that had been seen in each window of a run, for windows that are over. */
function closedWindows(
  { from, deltas, timesMs }: Run,
  windowMs: number,
  overMs: number,
): { first: number; last: number }[] {
  const windows: { first: number; last: number }[] = [];
  let first = from;
  for (const [index, { last }] of deltas.entries()) {
    const window = Math.floor(timesMs[index]! / windowMs);
    const next = timesMs[index + 1];
    if (next !== undefined && Math.floor(next / windowMs) === window) continue;
    if ((window + 1) * windowMs > overMs) break;
    if (last >= first) windows.push({ first, last });
    first = Math.max(first, last + 1);
  }
  return windows;
}

/** Deltas that go on from each other without a hole. */
function runsOf(deltas: readonly DeltaEntry[]): Run[] {
  const byLast = deltas.toSorted((left, right) => left.last - right.last || left.first - right.first);
  return new DeltaCoverage(deltas).runs.map(({ from, to }) => {
    const own = byLast.filter(({ first, last }) => first >= from && last <= to);
    let latestMs = 0;
    return { from, deltas: own, timesMs: own.map((delta) => (latestMs = Math.max(latestMs, delta.lastObservedMs))) };
  });
}

function assertPolicy({ windowsMs, settleMs, bytesMax }: MergePolicy): void {
  const isStep = (windowMs: number, index: number): boolean => {
    const before = windowsMs[index - 1];
    return (
      Number.isSafeInteger(windowMs) &&
      windowMs > 0 &&
      (before === undefined || (windowMs > before && windowMs % before === 0))
    );
  };
  if (windowsMs.length > 0 && windowsMs.every(isStep) && settleMs >= 0 && bytesMax > 0) return;
  throw new EtcdOpsError('CONFIG_INVALID', {
    message: `The windows ${windowsMs.join(', ')} ms do not nest: each must be a whole multiple of the one before it`,
  });
}
