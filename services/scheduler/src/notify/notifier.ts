import { createHash } from 'node:crypto';
import {
  DEAD_STREAM,
  DEAD_SUBJECTS,
  DONE_SUBJECTS,
  ensureReader,
  HISTORY_STREAM,
  NOTIFY_DURABLE,
  readBatch,
  type Bus,
  type Happening,
  type Notification,
} from '@etcd-ops/bus';
import { describeError } from '@etcd-ops/core';
import { retry, retryDelayMs, type Clock, type Logger } from '@etcd-ops/service-kit';
import type { SchedulerMetrics } from '../metrics.ts';
import { channelsOf, DeliveryError, type Channel } from './deliver.ts';
import { happeningsOfDead, happeningsOfResult } from './happenings.ts';
import type { Notifications } from './notification-settings.ts';

const LINES_MAX = 100;
const WAIT_MS = 5_000;
/** Above what all attempts of all channels take together. */
const ACK_WAIT_MS = 30 * 60_000;
/** Who switches notifications on again after a month need not hear of that month. */
const AGE_MS_MAX = 86_400_000;

export interface NotifierOptions {
  bus: Bus;
  settings: Notifications;
  metrics: Pick<SchedulerMetrics, 'notifications'>;
  logger: Logger;
  clock: Clock;
  signal: AbortSignal;
}

type Reading = { stream: string; filter: string; read: (text: string, at: Line) => Happening[] };
type Line = { subject: string; sequence: number };

const READINGS: readonly Reading[] = [
  { stream: HISTORY_STREAM, filter: DONE_SUBJECTS, read: happeningsOfResult },
  { stream: DEAD_STREAM, filter: DEAD_SUBJECTS, read: happeningsOfDead },
];

/**
 * Tells people what the history and the dead letters give reason to, until the signal is aborted. Any number of schedulers share the
 * lines: each happening is told at least once, by one of them, also after a crash; its id is the same each time.
 */
export async function runNotifier(options: NotifierOptions): Promise<void> {
  const teller = new Teller(options);
  await Promise.all(READINGS.map(async (reading) => await follow(reading, teller, options)));
}

async function follow(reading: Reading, teller: Teller, options: NotifierOptions): Promise<void> {
  const { bus, signal, clock, logger, settings } = options;
  const reader = { stream: reading.stream, filter: reading.filter, durable: NOTIFY_DURABLE, ackWaitMs: ACK_WAIT_MS };
  const attempt = async (): Promise<void> => {
    await ensureReader(bus, reader);
    while (!signal.aborted) {
      const batch = await readBatch(bus, { ...reader, linesMax: LINES_MAX, waitMs: WAIT_MS, signal });
      const oldestMs = clock.now() - AGE_MS_MAX;
      const happenings = batch.lines
        .flatMap(({ text, ...at }) => reading.read(text, at))
        .filter(({ what, at }) => settings.on.includes(what) && Date.parse(at) >= oldestMs);
      // A line can tell more than one happening.
      for (let from = 0; from < happenings.length && !signal.aborted; from += LINES_MAX) {
        await teller.tell(happenings.slice(from, from + LINES_MAX));
      }
      if (signal.aborted && happenings.length > 0) batch.giveBack();
      else await batch.settle();
    }
  };
  await retry(attempt, {
    signal,
    clock,
    shouldRetry: () => true,
    onRetry: ({ error, delayMs }) => logger.warn({ error, delayMs }, 'What people are to be told is read anew'),
  }).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
}

/** One call after the other, not more often than wished. */
class Teller {
  readonly #options: NotifierOptions;
  readonly #channels: { name: string; send: Channel }[];
  #before: Promise<void> = Promise.resolve();
  #lastMs = -Infinity;

  constructor(options: NotifierOptions) {
    this.#options = options;
    this.#channels = channelsOf(options.settings);
  }

  async tell(happenings: Happening[]): Promise<void> {
    const turn = this.#before.then(async () => await this.#tellNow(happenings));
    this.#before = turn.catch(() => undefined);
    await turn;
  }

  async #tellNow(happenings: Happening[]): Promise<void> {
    const { clock, signal, settings, metrics } = this.#options;
    const pauseMs = this.#lastMs + settings.intervalMs - clock.now();
    if (pauseMs > 0) await clock.sleep(pauseMs, signal).catch(() => undefined);
    if (signal.aborted) return;
    this.#lastMs = clock.now();
    const notification: Notification = { version: 1, id: idOf(happenings), happenings };
    const told = await Promise.all(this.#channels.map(async (channel) => await this.#send(channel, notification)));
    if (signal.aborted) return;
    metrics.notifications.add({ result: told.every(Boolean) ? 'told' : 'dropped' }, happenings.length);
  }

  async #send({ name, send }: { name: string; send: Channel }, notification: Notification): Promise<boolean> {
    const { clock, signal, logger, settings } = this.#options;
    const facts = { channel: name, notification: notification.id, happenings: notification.happenings.length };
    for (let attempt = 1; ; attempt++) {
      try {
        await send(notification, signal);
        logger.info(facts, 'People were told');
        return true;
      } catch (error) {
        if (signal.aborted) return false;
        const isPassing = !(error instanceof DeliveryError) || error.isPassing;
        const reason = describeError(error);
        if (!isPassing || attempt >= settings.attemptsMax) {
          const lost = notification.happenings.map(({ id }) => id);
          logger.error({ ...facts, attempt, reason, lost }, 'People could not be told');
          return false;
        }
        logger.warn({ ...facts, attempt, reason }, 'People are told again later');
        await clock.sleep(retryDelayMs(attempt), signal).catch(() => undefined);
      }
    }
  }
}

function idOf(happenings: readonly Happening[]): string {
  const ids = JSON.stringify(happenings.map(({ id }) => id));
  return createHash('sha256').update(ids).digest('hex').slice(0, 32);
}
