import type { TaskResult } from '@etcd-ops/bus';
import type { ChainGrowth } from './decisions.ts';
import { numberOf } from './result-facts.ts';

export interface Growth extends ChainGrowth {
  /** The task of the full. */
  base: string;
  deltas: number;
  baseRevision: number;
  /** Of the newest delta; that of the full when there is none. */
  revision: number;
}

/** How long each cluster's chain has grown since its newest full, counted from the history of finished tasks. */
export class ChainGrowths {
  readonly #growths = new Map<string, Growth>();

  /** Takes one line of the history. Lines MUST come in their order; a repeated full only begins to count anew. */
  note(result: TaskResult): void {
    if (!result.ok) return;
    if (result.kind === 'full') {
      const revision = numberOf(result.summary['revision']) ?? 0;
      const grown = { deltaBytes: 0, deltas: 0, baseRevision: revision, revision };
      this.#growths.set(result.cluster, { ...grown, fullBytes: bytesOf(result), base: result.taskId });
    } else if (result.kind === 'delta') {
      const growth = this.#growths.get(result.cluster);
      if (growth === undefined) return;
      growth.deltaBytes += bytesOf(result) ?? 0;
      growth.deltas += numberOf(result.summary['objects']) ?? 0;
      growth.revision = Math.max(growth.revision, numberOf(result.summary['revision']) ?? 0);
    }
  }

  /** Undefined for a cluster without a full in the history. */
  of(cluster: string): Readonly<Growth> | undefined {
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
  return numberOf(summary['storedBytes'] ?? summary['bytes']);
}
