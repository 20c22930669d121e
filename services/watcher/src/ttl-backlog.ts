/** Messages remembered one by one; when there are more, neighbours count as one. */
const MESSAGES_MAX = 256;

/** How many TTLs of leases are not durable yet: being asked about, or in the event stream behind what the uploader recorded. */
export class TtlBacklog {
  #published: { records: number; sequence: number }[] = [];
  /** Not published yet. */
  asking = 0;

  published(records: number, sequence: number): void {
    const last = this.#published.at(-1);
    if (last !== undefined && this.#published.length >= MESSAGES_MAX) {
      last.records += records;
      last.sequence = sequence;
    } else this.#published.push({ records, sequence });
  }

  /** All up to this sequence of the stream is stored. */
  durable(throughSequence: number): void {
    this.#published = this.#published.filter(({ sequence }) => sequence > throughSequence);
  }

  /** Published, and not known to be stored. */
  get waiting(): number {
    return this.#published.reduce((sum, { records }) => sum + records, 0);
  }
}
