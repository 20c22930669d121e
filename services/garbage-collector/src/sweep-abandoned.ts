import { clusterPrefix, describeError, isEtcdOpsError, type ObjectStore } from '@etcd-ops/core';
import type { Logger } from '@etcd-ops/service-kit';

/** What died half way costs storage, but hurts nobody: looking for it now and then is enough. */
const SWEEP_PERIOD_MS = 3_600_000;

export interface SweepRequest {
  store: ObjectStore;
  cluster: string;
  /** What is younger may belong to a writer that lives. */
  olderThanMs: number;
  nowMs: number;
  signal: AbortSignal;
}

/** Takes away what writers left that died: parts of uploads, temporary files. At most once an hour for each cluster. */
export class AbandonedSweep {
  readonly #logger: Logger;
  readonly #sweptAtMs = new Map<string, number>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** A store that does not allow it is told of, but keeps nobody from collecting garbage. @returns how many things went. */
  async run({ store, cluster, olderThanMs, nowMs, signal }: SweepRequest): Promise<number> {
    const sweptAtMs = this.#sweptAtMs.get(cluster) ?? -Infinity;
    if (store.sweepAbandoned === undefined || nowMs - sweptAtMs < SWEEP_PERIOD_MS) return 0;
    try {
      const swept = await store.sweepAbandoned(clusterPrefix(cluster), { olderThanMs, nowMs, signal });
      this.#sweptAtMs.set(cluster, nowMs);
      if (swept > 0) this.#logger.info({ cluster, swept }, 'Removed what writers left that died');
      return swept;
    } catch (error) {
      if (isEtcdOpsError(error, 'CANCELLED')) throw error;
      this.#sweptAtMs.set(cluster, nowMs);
      const remedy = isEtcdOpsError(error) ? error.remedy : undefined;
      this.#logger.warn(
        { cluster, error: describeError(error), remedy },
        'What writers left that died could not be removed',
      );
      return 0;
    }
  }
}
