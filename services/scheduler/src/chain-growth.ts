import type { TaskResult } from '@etcd-ops/bus';
import type { ChainGrowth } from './decisions.ts';

/** How long each cluster's chain has grown since its newest full, counted from the history of finished tasks. */
export class ChainGrowths {
  readonly #growths = new Map<string, ChainGrowth & { base: string }>();

  /** Takes one line of the history. Lines MUST come in their order; a repeated full only begins to count anew. */
  note(result: TaskResult): void {
    if (!result.ok) return;
    if (result.kind === 'full') {
      this.#growths.set(result.cluster, { deltaBytes: 0, fullBytes: bytesOf(result), base: result.taskId });
    } else if (result.kind === 'delta') {
      const growth = this.#growths.get(result.cluster);
      if (growth !== undefined) growth.deltaBytes += bytesOf(result) ?? 0;
    }
  }

  /** Undefined for a cluster without a full in the history. */
  of(cluster: string): Readonly<ChainGrowth & { base: string }> | undefined {
    return this.#growths.get(cluster);
  }

  clusters(): string[] {
    return [...this.#growths.keys()];
  }

  clear(): void {
    this.#growths.clear();
  }
}

/** Fulls tell what they take in the store, deltas their size. */
function bytesOf({ summary }: TaskResult): number | undefined {
  const bytes = summary['storedBytes'] ?? summary['bytes'];
  return typeof bytes === 'number' && Number.isFinite(bytes) && bytes >= 0 ? bytes : undefined;
}
