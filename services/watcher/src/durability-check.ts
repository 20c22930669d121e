import { connectStream, isReached, lastDone, lastDoneKey } from '@etcd-ops/bus';
import { describeError } from '@etcd-ops/core';
import type { ServiceContext } from '@etcd-ops/service-kit';
import { readDurablePoint } from './captured-points.ts';
import type { TtlBacklog } from './ttl-backlog.ts';
import type { CaptureWatch } from './capture-watch.ts';
import type { FramePublisher } from './frame-publisher.ts';
import type { CaptureVoice } from './metrics.ts';

export interface DurabilityCheckOptions {
  context: Pick<ServiceContext, 'bus' | 'clock'>;
  voice: CaptureVoice;
  watch: CaptureWatch;
  publisher: FramePublisher;
  ttls: TtlBacklog;
  periodMs: number;
}

/**
 * Looks, beside the capture, whether what was captured becomes durable. Where deltas are cut and the position stands still, messages may
 * lack in the middle of the stream: nobody who reads it comes to its end. Then the watch is given up, and the next session goes on
 * before the hole. A store that is away makes deltas fail, and is none of its business.
 */
export class DurabilityCheck {
  readonly #options: DurabilityCheckOptions;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor(options: DurabilityCheckOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { context, voice, periodMs } = this.#options;
    let before: Look | undefined;
    while (!this.#stop.signal.aborted) {
      try {
        await context.clock.sleep(periodMs, this.#stop.signal);
        const now = await this.#look();
        if (before !== undefined && isStuck(before, now) && (await this.#hasHole(before.captured))) {
          this.#options.watch.giveUp('hole');
          return;
        }
        before = now;
      } catch (error) {
        if (!this.#stop.signal.aborted) {
          voice.logger.debug({ reason: describeError(error) }, 'Cannot look whether what was captured becomes durable');
        }
      }
    }
  }

  async #look(): Promise<Look> {
    const { context, voice, publisher } = this.#options;
    const captured = publisher.point;
    const [durable, delta] = await Promise.all([
      readDurablePoint(context.bus, voice.cluster),
      lastDone(context.bus).get(lastDoneKey('delta', voice.cluster)),
    ]);
    if (durable !== undefined) this.#options.ttls.durable(durable.sequence);
    return { captured, durable, cut: delta?.value.ok === true ? delta.value.finishedAt : undefined };
  }

  async #hasHole(captured: Point): Promise<boolean> {
    const { context, voice } = this.#options;
    const known = await readDurablePoint(context.bus, voice.cluster);
    const connection = await connectStream(context.bus, voice.cluster, known, { signal: this.#stop.signal });
    return !isReached(connection, captured);
  }
}

interface Point {
  timeline: number;
  revision: number;
}

interface Look {
  captured: Point;
  durable: Point | undefined;
  /** When a delta task last ended well. */
  cut: string | undefined;
}

/** A delta was cut since, behind which something had been captured before, and nothing more is durable. */
function isStuck(before: Look, { durable, cut }: Look): boolean {
  const isCut = cut !== undefined && cut !== before.cut;
  const isSame = durable?.revision === before.durable?.revision && durable?.timeline === before.durable?.timeline;
  const isBehind =
    durable === undefined ||
    durable.timeline < before.captured.timeline ||
    (durable.timeline === before.captured.timeline && durable.revision < before.captured.revision);
  return isCut && isSame && isBehind;
}
