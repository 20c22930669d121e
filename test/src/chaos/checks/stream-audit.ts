import { EventAssembler, eventsStream, eventsSubject, followStream, type Bus } from '@etcd-ops/bus';
import { setTimeout as delay } from 'node:timers/promises';

export interface Acknowledged {
  timeline: number;
  /** The last revision that JetStream has stored for this timeline. */
  revision: number;
}

/**
 * Reads a cluster's event stream as it is written, beside the uploaders: what stands in it was acknowledged, so it must become
 * restorable. And it is stricter than readers are: they forgive what a broken fence lets in, this one does not.
 */
export class StreamAudit implements AsyncDisposable {
  readonly acknowledged: Acknowledged[] = [];
  /** What a fenced stream never holds. */
  readonly violations: string[] = [];
  readonly epochs = new Set<string>();
  events = 0;
  /** Events that came in several messages. */
  split = 0;
  readonly #bus: Bus;
  readonly #cluster: string;
  #assembler = new EventAssembler();
  #lastSequence = 0;
  #forgiving = false;
  #running: Promise<void> = Promise.resolve();
  #stop = new AbortController();

  constructor(world: { bus: Bus; cluster: string }, cluster = world.cluster) {
    this.#bus = world.bus;
    this.#cluster = cluster;
  }

  start(): void {
    this.#stop = new AbortController();
    this.#running = this.#follow(this.#stop.signal);
  }

  /** Begins anew: a server whose tail was cut gives its sequences out again, and may repeat what it had acknowledged. */
  async restart(): Promise<void> {
    await this.#end();
    this.#forgiving = true;
    this.#lastSequence = 0;
    this.start();
  }

  /** Ends the forgiveness of `restart`. */
  trust(): void {
    this.#forgiving = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
  }

  async #end(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#read(signal);
      } catch {
        // The server is away: again, from where it was.
      }
      await delay(100, undefined, { signal }).catch(() => undefined);
    }
  }

  async #read(signal: AbortSignal): Promise<void> {
    const from = this.#lastSequence + 1;
    const stream = { stream: eventsStream(this.#cluster), filter: eventsSubject(this.#cluster), from };
    for await (const { sequence, headers, data } of followStream(this.#bus, { ...stream, signal })) {
      // Between them the uploaders were faster: what was trimmed is not known here.
      if (sequence !== this.#lastSequence + 1) this.#assembler = new EventAssembler();
      this.#lastSequence = sequence;
      this.#judge({ sequence, headers, payload: Buffer.from(data) });
      if (signal.aborted) return;
    }
  }

  #judge(stored: Parameters<EventAssembler['push']>[0]): void {
    const knew = this.#assembler.expected !== undefined;
    const { event, skipped } = this.#assembler.push(stored);
    for (const { reason, firstSequence, lastSequence, detail } of skipped) {
      // A writer that died between two parts. Without an expectation the middle of a group looks alike.
      if (reason === 'incomplete' || !knew || this.#forgiving) continue;
      this.violations.push(
        `sequences ${firstSequence} to ${lastSequence}: ${reason}${detail === undefined ? '' : `, ${detail}`}`,
      );
    }
    if (event === undefined) return;
    this.events++;
    this.epochs.add(event.epoch);
    if (event.lastPartSequence !== event.sequence) this.split++;
    const { timeline } = event;
    const revision = event.kind === 'rows' ? event.last : event.revision;
    const known = this.acknowledged.find((found) => found.timeline === timeline);
    if (known === undefined) this.acknowledged.push({ timeline, revision });
    else known.revision = Math.max(known.revision, revision);
  }
}
