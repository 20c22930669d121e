import { DamagedObjectError, windowName, type MergeDoubts, type MergeJob } from '@etcd-ops/core';
import type { Clock } from '@etcd-ops/service-kit';

interface Failed {
  failures: number;
  untilMs: number;
}

const PAUSE_MS = 3_600_000;
const PAUSE_MS_MAX = 24 * 3_600_000;
/** So long after its pause a failure counts as the first of its kind again, and is not remembered. */
const FORGOTTEN_AFTER_MS = 2 * PAUSE_MS_MAX;

/**
 * What keeps windows from being merged, so that it is not fetched again each time. In memory only: another process, or the next, finds it
 * out by one more try.
 */
export class FailedMerges {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #failed = { keys: new Map<string, Map<string, Failed>>(), windows: new Map<string, Map<string, Failed>>() };

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
  }

  /** One of the deltas when the failure names it, else the window. */
  note(job: MergeJob, error: unknown): void {
    const isOfInput = error instanceof DamagedObjectError && job.inputs.some(({ key }) => key === error.objectKey);
    const kind = isOfInput ? 'keys' : 'windows';
    const name = isOfInput ? error.objectKey : windowName(job);
    const known = this.#failed[kind].get(job.cluster) ?? new Map<string, Failed>();
    this.#failed[kind].set(job.cluster, known);
    const nowMs = this.#clock.now();
    for (const [old, { untilMs }] of known) if (untilMs + FORGOTTEN_AFTER_MS < nowMs) known.delete(old);
    const failures = (known.get(name)?.failures ?? 0) + 1;
    known.set(name, { failures, untilMs: nowMs + Math.min(PAUSE_MS * 2 ** (failures - 1), PAUSE_MS_MAX) });
  }

  /** It was merged after all. */
  forget(job: MergeJob): void {
    this.#failed.windows.get(job.cluster)?.delete(windowName(job));
    for (const { key } of job.inputs) this.#failed.keys.get(job.cluster)?.delete(key);
  }

  /** What is not tried again yet. */
  of(cluster: string): MergeDoubts {
    const nowMs = this.#clock.now();
    const namesOf = (found: Map<string, Map<string, Failed>>): Set<string> =>
      new Set([...(found.get(cluster) ?? [])].filter(([, { untilMs }]) => untilMs > nowMs).map(([name]) => name));
    return { keys: namesOf(this.#failed.keys), windows: namesOf(this.#failed.windows) };
  }
}
