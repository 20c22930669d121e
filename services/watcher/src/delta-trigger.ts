import { dispatchTask, streamFacts, type Bus, type DeltaTask } from '@etcd-ops/bus';
import { describeError } from '@etcd-ops/core';
import type { Clock } from '@etcd-ops/service-kit';
import type { CaptureVoice } from './metrics.ts';

export interface DeltaTriggerOptions {
  bus: Bus;
  voice: CaptureVoice;
  clock: Clock;
  /** A delta is asked for when this much waits in the stream. */
  deltaBytesMax: number;
}

/** Asks for a delta before its period ends when much was captured since the last cut. */
export class DeltaTrigger {
  readonly #options: DeltaTriggerOptions;
  #bytes = 0;
  #asking = false;

  constructor(options: DeltaTriggerOptions) {
    this.#options = options;
  }

  /** Counts what the bus acknowledged. Never waits and never fails: the next period's delta would take it all anyway. */
  published(bytes: number, sequence: number): void {
    this.#bytes += bytes;
    if (this.#asking || this.#bytes < this.#options.deltaBytesMax) return;
    this.#asking = true;
    this.#bytes = 0;
    void this.#ask(sequence)
      .catch((error: unknown) =>
        this.#options.voice.logger.debug({ reason: describeError(error) }, 'No delta could be asked for'),
      )
      .finally(() => {
        this.#asking = false;
      });
  }

  async #ask(sequence: number): Promise<void> {
    const { bus, voice, clock, deltaBytesMax } = this.#options;
    const { cluster } = voice;
    // Each cut trims the stream, so what it holds is what waits, whoever cut last.
    const { bytes } = await streamFacts(bus, cluster);
    if (bytes < deltaBytesMax) {
      this.#bytes += bytes;
      return;
    }
    const id = `bytes-${sequence}`;
    const task: DeltaTask = {
      version: 1,
      id,
      kind: 'delta',
      cluster,
      pool: 'any',
      cutSequence: sequence,
      cause: 'bytes',
      createdAt: new Date(clock.now()).toISOString(),
    };
    const outcome = await dispatchTask(bus, task, { messageId: `delta/${cluster}/${id}` });
    voice.logger.debug({ outcome, sequence, bytes }, 'A delta was asked for');
  }
}
