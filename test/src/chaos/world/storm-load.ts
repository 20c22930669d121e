import { hardLoad } from '@etcd-ops/test-kit';
import { setTimeout as delay } from 'node:timers/promises';
import type { ChaosWorld } from './chaos-world.ts';

export interface StormLoadOptions {
  seed: number;
  /** Compact now and then, close behind the head: who is away then has missed something for good. */
  compact: boolean;
}

const BURST_OPERATIONS = 32;
const PAUSE_MS = 60;
const REQUEST_TIMEOUT_MS = 3_000;

/** Writes of every kind, in bursts with pauses, until it is stopped: a bounded rate. Refusals by a cluster in trouble are part of it. */
export class StormLoad {
  /** Revisions at which compactions were asked for, whatever the answer. */
  readonly compactions: number[] = [];
  operations = 0;
  readonly #world: ChaosWorld;
  readonly #options: StormLoadOptions;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor(world: ChaosWorld, options: StormLoadOptions) {
    this.#world = world;
    this.#options = options;
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    for (let burst = 1; !signal.aborted; burst++) {
      await this.#burst(burst).catch(() => undefined);
      if (this.#options.compact && burst % 3 === 0) await this.#compact(burst).catch(() => undefined);
      await delay(PAUSE_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async #burst(burst: number): Promise<void> {
    const report = await hardLoad({
      endpoints: this.#world.etcd.endpoints,
      seed: this.#options.seed * 1_000 + burst,
      operations: BURST_OPERATIONS,
      writers: 3,
      valueBytesMax: 150_000,
      without: ['compact'],
      signal: this.#stop.signal,
      client: { defaultCallOptions: () => ({ deadline: Date.now() + REQUEST_TIMEOUT_MS }) },
    });
    this.operations += Object.values(report.done).reduce((sum, count) => sum + count, 0);
  }

  async #compact(burst: number): Promise<void> {
    const { direct, etcd } = this.#world;
    const member = direct.members()[burst % etcd.members.length]!;
    const { revision } = await member.linearizableRead({ timeoutMs: REQUEST_TIMEOUT_MS });
    const target = revision - (burst % 30);
    if (target < 2) return;
    this.compactions.push(target);
    await member.compact(target, { timeoutMs: REQUEST_TIMEOUT_MS });
  }
}
