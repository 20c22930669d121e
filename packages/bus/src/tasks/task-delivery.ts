import type { Msg } from 'nats';
import { toBusError } from '../bus-error.ts';
import type { Bus } from '../connection.ts';

const ACK_TRIES_MAX = 3;
const NANOS_PER_MS = 1_000_000;

/** One delivery of a task out of the work queue, and the answers that the queue understands. */
export class TaskDelivery {
  readonly #bus: Bus;
  readonly #message: Msg;
  /** In the work queue. */
  readonly sequence: number;
  /** 1 for the first delivery. A lower bound: it falls back when a lone server is killed. */
  readonly deliveries: number;
  #settled = false;

  constructor(bus: Bus, message: Msg) {
    this.#bus = bus;
    this.#message = message;
    // $JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>..., newer servers put domain and account before the stream.
    const tokens = (message.reply ?? '').split('.');
    const offset = tokens.length === 9 ? 4 : 6;
    this.deliveries = Number(tokens[offset]);
    this.sequence = Number(tokens[offset + 1]);
  }

  get subject(): string {
    return this.#message.subject;
  }

  get text(): string {
    return this.#message.string();
  }

  get settled(): boolean {
    return this.#settled;
  }

  /** Begins the time until redelivery anew. */
  working(): void {
    if (!this.#settled) this.#answer('+WPI');
  }

  /** Hands the task back; it comes again after the delay. */
  nak(delayMs: number): void {
    if (this.#settled) return;
    this.#settled = true;
    // The server reads whole nanoseconds only; at a fraction it would send the task again at once.
    const delay = Math.round(delayMs) * NANOS_PER_MS;
    this.#answer(delay > 0 ? `-NAK ${JSON.stringify({ delay })}` : '-NAK');
  }

  /** Takes the task out of the queue undone. No reason is sent along: 2.9 would then not understand it at all. */
  async term(): Promise<void> {
    this.#settled = true;
    this.#answer('+TERM');
    await this.#bus.nc.flush();
  }

  /** Takes the task out of the queue and waits until the server says so. */
  async ack(): Promise<void> {
    this.#settled = true;
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#bus.nc.request(this.#message.reply!, '+ACK', { timeout: this.#bus.requestTimeoutMs });
        return;
      } catch (error) {
        if (attempt >= ACK_TRIES_MAX) throw toBusError(error, `Acknowledging ${this.#message.subject}`);
        await this.#bus.whenConnected();
      }
    }
  }

  #answer(words: string): void {
    // On a closed or draining connection it would throw; the task then comes again when its time is over.
    if (!this.#bus.nc.isClosed()) this.#message.respond(words);
  }
}
