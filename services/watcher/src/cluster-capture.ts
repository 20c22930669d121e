import { failureOf, type CaptureFacts, type ClusterSpec } from '@etcd-ops/bus';
import { describeError, isEtcdOpsError } from '@etcd-ops/core';
import type { EtcdMember } from '@etcd-ops/etcd-client';
import { retryDelayMs, type Pace, type ServiceContext } from '@etcd-ops/service-kit';
import { followAuth } from './auth-follower.ts';
import { CaptureMemory } from './capture-memory.ts';
import { runCaptureSession } from './capture-session.ts';
import type { WatcherSettings } from './settings.ts';
import type { PublishEnd } from './frame-publisher.ts';
import type { CaptureMetrics, CaptureVoice } from './metrics.ts';
import type { OpeningSlots } from './opening-slots.ts';
import type { TtlBacklog } from './ttl-backlog.ts';

export interface ClusterCaptureOptions {
  spec: ClusterSpec;
  context: ServiceContext;
  settings: WatcherSettings;
  metrics: CaptureMetrics;
  /** What all captures of a process share. */
  slots: OpeningSlots;
  later: Pace;
}

/** How often etcd is asked for its head: a watch that is held back or not open does not tell. */
const HEAD_LOOK_MS = 2_000;
/** The same while everything is captured and watched: then only a watch that died without a word would be found by it. */
const CALM_HEAD_LOOK_MS = 10_000;
/** As much as the owner's key takes. */
const DETAIL_LENGTH_MAX = 4_096;
/** A session that captured for this long was a good one: the next begins again with the shortest pause. */
const GOOD_SESSION_MS = 10_000;

/** Captures one cluster, session after session, until it is stopped: the one retry layer of the watcher. */
export class ClusterCapture {
  readonly #options: ClusterCaptureOptions;
  readonly #voice: CaptureVoice;
  readonly #memory = new CaptureMemory();
  #watching = false;
  #detail = 'starting';
  #said = '';
  #failure: CaptureFacts['failure'];

  constructor(options: ClusterCaptureOptions) {
    this.#options = options;
    const { spec, context, metrics } = options;
    this.#voice = { cluster: spec.name, logger: context.logger.child({ cluster: spec.name }), metrics };
  }

  get watching(): boolean {
    return this.#watching;
  }

  /** One line for people. */
  get detail(): string {
    return this.#detail;
  }

  /** For `status`, by way of the owner's key. */
  facts(): CaptureFacts {
    const nowMs = this.#options.context.clock.now();
    return {
      at: new Date(nowMs).toISOString(),
      watching: this.#watching,
      ...(this.#watching ? {} : { waitsFor: this.#detail.slice(0, DETAIL_LENGTH_MAX) }),
      ...this.#memory.lag.at(nowMs),
      ...ttlsOf(this.#memory.ttls),
      ...(this.#failure === undefined ? {} : { failure: this.#failure }),
    };
  }

  async run(signal: AbortSignal): Promise<void> {
    const { spec, context, settings } = this.#options;
    const stop = new AbortController();
    const beside = AbortSignal.any([signal, stop.signal]);
    const auth = followAuth({ spec, context, voice: this.#voice, settings, signal: beside });
    try {
      await this.#sessions(signal);
    } finally {
      stop.abort();
      await auth;
    }
  }

  async #sessions(signal: AbortSignal): Promise<void> {
    const { context, settings } = this.#options;
    for (let attempt = 1; !signal.aborted; attempt++) {
      const startedMs = context.clock.now();
      await this.#session(signal);
      if (signal.aborted) return;
      if (context.clock.now() - startedMs > GOOD_SESSION_MS) attempt = 1;
      const delayMs = retryDelayMs(attempt, {
        delayMs: settings.reconnectDelayMs,
        delayMsMax: settings.reconnectDelayMsMax,
      });
      await context.clock.sleep(delayMs, signal).catch(() => undefined);
    }
  }

  async #session(signal: AbortSignal): Promise<void> {
    const { spec, context, settings, slots, later } = this.#options;
    const { logger, metrics, cluster } = this.#voice;
    metrics.sessions.add({ cluster });
    using slot = await slots.take(signal);
    try {
      await using loan = await context.etcd.borrow(spec, { signal });
      const { member, head } = await loan.cluster.chooseForWatch({ signal });
      using _head = this.#followHead(member);
      const end = await runCaptureSession({
        spec,
        context,
        settings,
        voice: this.#voice,
        memory: this.#memory,
        member,
        head,
        later,
        onWatching: () => {
          slot[Symbol.dispose]();
          this.#setWatching(true, 'watching');
          this.#said = '';
        },
        onWaiting: (what) => this.#setWatching(false, what),
        signal,
      });
      this.#setWatching(false, 'the watch ended');
      if (!signal.aborted) this.#sayEnd(end);
    } catch (error) {
      this.#setWatching(false, describeError(error));
      this.#failure = { ...failureOf(error), at: new Date(context.clock.now()).toISOString() };
      // The connection knows another cluster at this address: look again who is there.
      if (isEtcdOpsError(error, 'ETCD_WRONG_CLUSTER')) context.etcd.forget(spec.name);
      if (signal.aborted) return;
      // One outage, one warning: the attempts that fail alike after it are for who looks closer.
      const said = describeError(error);
      logger[said === this.#said ? 'debug' : 'warn']({ error }, 'Capture is opened again');
      this.#said = said;
    }
  }

  /** While the bus, a full stream or a full snapshot is waited for, the lag must be seen to grow. */
  #followHead(member: EtcdMember): Disposable {
    const labels = { cluster: this.#voice.cluster };
    const { metrics } = this.#voice;
    const look = async (): Promise<void> => {
      const { revision } = await member.linearizableRead();
      this.#memory.headRevision = revision;
      this.#memory.lag.noteHead(revision, this.#options.context.clock.now());
      const captured = this.#memory.capturedRevision;
      if (this.#watching || captured === 0) return;
      metrics.headRevision.set(labels, revision);
      metrics.lagRevisions.set(labels, Math.max(0, revision - captured));
    };
    let timer: NodeJS.Timeout | undefined;
    let isEnded = false;
    const wait = (): void => {
      const isCalm = this.#watching && this.#memory.lag.at(this.#options.context.clock.now())?.lagMs === 0;
      const again = (): void => {
        if (!isEnded) wait();
      };
      timer = setTimeout(() => void look().then(again, again), isCalm ? CALM_HEAD_LOOK_MS : HEAD_LOOK_MS);
    };
    wait();
    return {
      [Symbol.dispose]: () => {
        isEnded = true;
        clearTimeout(timer);
      },
    };
  }

  #sayEnd(end: PublishEnd): void {
    const { logger } = this.#voice;
    if (end.kind === 'hole') {
      logger.error(
        { hole: end.hole },
        'A revision lacks in the watch; capture is opened again from the last whole one',
      );
    } else if (end.kind === 'overtaken') {
      logger.warn({ first: end.first }, 'A compaction overtook the backlog; capture is opened again');
    } else if (end.kind === 'given-up' && end.reason === 'hole') {
      logger.error(
        'What was captured does not become durable, since messages lack in the event stream; capture is opened again',
      );
    } else if (end.kind === 'given-up') {
      logger.warn({ reason: end.reason }, 'The watch was cancelled, to spare etcd; capture catches up anew');
    } else if (end.end.kind === 'error') {
      logger.warn({ error: end.end.error }, 'The watch broke; capture is opened again');
    } else logger.warn({ end: end.end }, 'The watch ended; capture is opened again');
  }

  #setWatching(watching: boolean, detail: string): void {
    this.#watching = watching;
    this.#detail = detail;
    this.#voice.metrics.watching.set({ cluster: this.#voice.cluster }, watching ? 1 : 0);
  }
}

function ttlsOf({ asking, waiting }: TtlBacklog): Pick<CaptureFacts, 'ttlsAsked' | 'ttlsWaiting'> {
  return { ...(asking === 0 ? {} : { ttlsAsked: asking }), ...(waiting === 0 ? {} : { ttlsWaiting: waiting }) };
}
