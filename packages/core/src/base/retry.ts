import { cancelled, systemClock, type Clock } from './clock.ts';
import { isEtcdOpsError } from './errors.ts';

export interface RetryOptions {
  /** Aborting ends the waiting at once with CANCELLED. The attempt itself gets the signal too. */
  signal?: AbortSignal | undefined;
  /**
   * No attempt begins later than this many milliseconds after the first one failed; without it, only the signal ends the trying. Counted
   * from there, since an attempt that itself takes longer (a large part on a slow line) would otherwise never be repeated.
   */
  deadlineMs?: number;
  attemptsMax?: number;
  /** The first wait, doubled each time up to `delayMsMax`; each is shortened by up to a half at random. */
  delayMs?: number;
  delayMsMax?: number;
  /** Default: an EtcdOpsError that is `retriable`. Anything else is a bug or needs a person: it is thrown at once. */
  shouldRetry?: (error: unknown) => boolean;
  /** A wait that the other side asked for (Retry-After): the next attempt does not come before, whatever `delayMsMax` says. */
  askedDelayMs?: (error: unknown) => number | undefined;
  /** Called before each wait, so that the caller can log with a level that rises with the delay. */
  onRetry?: (failure: RetryFailure) => void;
  clock?: Clock;
  random?: () => number;
}

export interface RetryFailure {
  error: unknown;
  /** Counted from 1. */
  attempt: number;
  delayMs: number;
  elapsedMs: number;
}

export const RETRY_DELAY_MS = 100;
export const RETRY_DELAY_MS_MAX = 10_000;

/**
 * The one retry layer of the house: a call is wrapped once, by whoever knows its deadline, and never again further out.
 * @throws the error of the last attempt; CANCELLED when the signal was aborted.
 */
export async function retry<Result>(
  attempt: (signal: AbortSignal | undefined, attemptNumber: number) => Promise<Result>,
  options: RetryOptions = {},
): Promise<Result> {
  const { signal, clock = systemClock, shouldRetry = isRetriable } = options;
  const startedMs = clock.now();
  let failedMs: number | undefined;
  for (let attemptNumber = 1; ; attemptNumber++) {
    if (isAborted(signal)) throw cancelled(signal?.reason);
    try {
      return await attempt(signal, attemptNumber);
    } catch (error) {
      if (isAborted(signal)) throw cancelled(error);
      if (!shouldRetry(error) || attemptNumber >= (options.attemptsMax ?? Infinity)) throw error;
      const delayMs = Math.max(retryDelayMs(attemptNumber, options), options.askedDelayMs?.(error) ?? 0);
      const nowMs = clock.now();
      failedMs ??= nowMs;
      if (nowMs - failedMs + delayMs > (options.deadlineMs ?? Infinity)) throw error;
      const elapsedMs = nowMs - startedMs;
      options.onRetry?.({ error, attempt: attemptNumber, delayMs, elapsedMs });
      await clock.sleep(delayMs, signal);
    }
  }
}

function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

export function isRetriable(error: unknown): boolean {
  return isEtcdOpsError(error) && error.retriable;
}

/** Exponential with equal jitter: between half and all of min(delayMsMax, delayMs * 2^(attempt - 1)). */
export function retryDelayMs(
  attempt: number,
  options: Pick<RetryOptions, 'delayMs' | 'delayMsMax' | 'random'> = {},
): number {
  const { delayMs = RETRY_DELAY_MS, delayMsMax = RETRY_DELAY_MS_MAX, random = Math.random } = options;
  const whole = Math.min(delayMsMax, delayMs * 2 ** Math.min(attempt - 1, 30));
  return Math.round(whole / 2 + (random() * whole) / 2);
}
