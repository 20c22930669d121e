import { EventAssembler, eventsStream, type Bus } from '@etcd-ops/bus';
import type { ChaosWorld } from '../world/chaos-world.ts';
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
  #generation = 0;
  #forgiving = false;
  #running: Promise<void> = Promise.resolve();
  #stop: () => void = () => {};

  constructor(world: ChaosWorld, cluster = world.cluster) {
    this.#bus = world.bus;
    this.#cluster = cluster;
  }

  start(): void {
    this.#running = this.#follow(++this.#generation);
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
    this.#generation++;
    this.#stop();
    await this.#running;
  }

  async #follow(generation: number): Promise<void> {
    while (this.#generation === generation) {
      try {
        await this.#read(generation);
      } catch {
        // The server is away: again, from where it was.
      }
      await delay(100);
    }
  }

  async #read(generation: number): Promise<void> {
    const from = this.#lastSequence + 1;
    const consumer = await this.#bus.js.consumers.get(eventsStream(this.#cluster), { opt_start_seq: from });
    const messages = await consumer.consume();
    if (this.#generation !== generation) return messages.stop();
    this.#stop = () => messages.stop();
    for await (const message of messages) {
      const { seq } = message;
      // Between them the uploaders were faster: what was trimmed is not known here.
      if (seq !== this.#lastSequence + 1) this.#assembler = new EventAssembler();
      this.#lastSequence = seq;
      this.#judge({ sequence: seq, headers: message.headers, payload: Buffer.from(message.data) });
      if (this.#generation !== generation) return;
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
