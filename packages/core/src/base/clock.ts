import { setTimeout as delay } from 'node:timers/promises';
import { EtcdOpsError } from './errors.ts';

/** Time as whatever waits or measures sees it, so that tests can hold it in their hands. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Resolves after `ms`. @throws EtcdOpsError CANCELLED as soon as the signal is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** setTimeout fires at once for anything above 2^31 - 1 ms. */
const SLEEP_MS_MAX = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(ms, signal) {
    try {
      await delay(Math.min(Math.max(ms, 0), SLEEP_MS_MAX), undefined, signal === undefined ? {} : { signal });
    } catch (error) {
      throw cancelled(error);
    }
  },
};

export function cancelled(cause?: unknown): EtcdOpsError {
  return new EtcdOpsError('CANCELLED', {
    message: 'The operation was cancelled',
    ...(cause === undefined ? {} : { cause }),
  });
}
