export interface KnownLease {
  /** As recorded; -1 while nobody has answered. */
  grantedTtlSeconds: number;
  /** When it was asked about, counted in listings. */
  epoch: number;
}

/**
 * Leases that were asked about, at most so many: two generations, of which the older one is dropped whole. What is seen again moves to
 * the younger one, so that those in use stay.
 */
export class KnownLeases {
  readonly #generationMax: number;
  #young = new Map<bigint, KnownLease>();
  #old = new Map<bigint, KnownLease>();

  constructor(max: number) {
    this.#generationMax = Math.max(1, Math.floor(max / 2));
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  get(id: bigint): KnownLease | undefined {
    const young = this.#young.get(id);
    if (young !== undefined) return young;
    const old = this.#old.get(id);
    if (old === undefined) return undefined;
    this.#old.delete(id);
    this.set(id, old);
    return old;
  }

  set(id: bigint, lease: KnownLease): void {
    if (this.#young.size >= this.#generationMax && !this.#young.has(id)) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(id, lease);
  }

  delete(id: bigint): void {
    this.#young.delete(id);
    this.#old.delete(id);
  }

  ids(): bigint[] {
    return [...this.#old.keys(), ...this.#young.keys()];
  }
}
