import type { TaskResult } from '@etcd-ops/bus';

interface Known {
  /** The oldest and the newest object that is known to have been stored, in milliseconds. */
  oldestMs: number;
  newestMs: number;
  /** By destination: the tick of its newest good copy. What was stored before it is there. */
  copiedMs: Map<string, number>;
}

/** How far destinations are behind, as the history tells it: it outlives every process. */
export class DestinationLags {
  readonly #clusters = new Map<string, Known>();

  clear(): void {
    this.#clusters.clear();
  }

  note({ kind, cluster, ok, tick, finishedAt, summary }: TaskResult): void {
    if (!ok) return;
    const known = this.#clusters.get(cluster);
    if (kind === 'full' || kind === 'delta') {
      const ms = Date.parse(finishedAt);
      if (known === undefined) this.#clusters.set(cluster, { oldestMs: ms, newestMs: ms, copiedMs: new Map() });
      else known.newestMs = Math.max(known.newestMs, ms);
      return;
    }
    const { destination } = summary;
    if (kind !== 'copy' || typeof destination !== 'string' || tick === undefined) return;
    const { copiedMs } = known ?? { copiedMs: new Map<string, number>() };
    copiedMs.set(destination, Math.max(copiedMs.get(destination) ?? 0, Date.parse(tick)));
    if (known === undefined) this.#clusters.set(cluster, { oldestMs: Infinity, newestMs: 0, copiedMs });
  }

  /** Seconds between the newest stored object and what the destination has; 0 when it has all. */
  seconds(cluster: string, destination: string): number {
    const known = this.#clusters.get(cluster);
    if (known === undefined) return 0;
    return Math.max(0, known.newestMs - (known.copiedMs.get(destination) ?? known.oldestMs)) / 1_000;
  }
}
