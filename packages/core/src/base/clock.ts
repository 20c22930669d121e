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
  // By itself: the promise of node:timers/promises takes twice the memory, and a fleet has thousands that sleep.
  sleep(ms, signal) {
    if (signal?.aborted === true) return Promise.reject(cancelled(signal.reason));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(cancelled(signal?.reason));
    };
    const onDue = (): void => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    };
    const timer = setTimeout(onDue, Math.min(Math.max(ms, 0), SLEEP_MS_MAX));
    signal?.addEventListener('abort', onAbort, { once: true });
    return promise;
  },
};

export function cancelled(cause?: unknown): EtcdOpsError {
  return new EtcdOpsError('CANCELLED', {
    message: 'The operation was cancelled',
    ...(cause === undefined ? {} : { cause }),
  });
}
