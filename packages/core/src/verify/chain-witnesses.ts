import type { DamagedEntry } from '../repository/inventory.ts';
import { listWitnesses, readWitness, type WitnessEntry } from '../repository/read-proofs.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type { ExpectedHash } from './hash-comparison.ts';
import type { ChainTarget } from './verify-scope.ts';

export interface WitnessOptions {
  /** Witnesses that each chain is held against: each costs a pass over the rows. */
  witnessesMax: number;
  signal?: AbortSignal | undefined;
}

/** The witnesses of a repository, listed once and read as chains need them. */
export class ChainWitnesses {
  readonly #store: ObjectStore;
  readonly #entries: readonly WitnessEntry[];
  readonly damaged: DamagedEntry[] = [];

  private constructor(store: ObjectStore, entries: readonly WitnessEntry[]) {
    this.#store = store;
    this.#entries = entries;
  }

  static async list(store: ObjectStore, cluster: string, signal?: AbortSignal): Promise<ChainWitnesses> {
    return new ChainWitnesses(store, await listWitnesses(store, cluster, { signal }));
  }

  /** The newest that the chain reaches: of one revision only one, whoever gave it. */
  async of({ full, to }: ChainTarget, { witnessesMax, signal }: WitnessOptions): Promise<ExpectedHash[]> {
    const candidates = this.#entries.filter(({ timeline, revision }) => {
      return timeline === full.timeline && revision <= to && revision >= full.manifest.compactRevision;
    });
    const newest = [...new Map(candidates.map((entry) => [entry.revision, entry])).values()].slice(-witnessesMax);
    const found: ExpectedHash[] = [];
    for (const { key } of newest) {
      const record = await readWitness(this.#store, key, this.damaged, { signal });
      if (record === undefined || record.clusterId !== full.manifest.clusterId) continue;
      const { revision, compactRevision, hash } = record;
      found.push({ with: 'witness', key, revision, compactRevision, hash });
    }
    return found;
  }
}
