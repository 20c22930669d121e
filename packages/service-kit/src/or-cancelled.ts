import { cancelled } from './clock.ts';

/** Waits for a promise, but no longer than until the signal is aborted (CANCELLED). The promise itself goes on. */
export async function orCancelled<Result>(promise: Promise<Result>, signal: AbortSignal | undefined): Promise<Result> {
  if (signal === undefined) return promise;
  // Whoever gives up waiting does not see a failure that comes later; it must not end the process.
  promise.catch(() => undefined);
  if (signal.aborted) throw cancelled(signal.reason);
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(cancelled(signal.reason));
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
