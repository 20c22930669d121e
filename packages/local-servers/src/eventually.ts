import { setTimeout as delay } from 'node:timers/promises';

export interface EventuallyOptions {
  /** Default 10 s. */
  timeoutMs?: number;
  /** Pause between two tries; default 20 ms. */
  intervalMs?: number;
}

/**
 * Calls `fn` until it neither throws nor answers `false`, and returns what it answered.
 * At the limit it throws with the last failure as cause.
 */
export async function eventually<T>(
  fn: () => T | Promise<T>,
  options: EventuallyOptions = {},
): Promise<Exclude<T, false>> {
  const { timeoutMs = 10_000, intervalMs = 20 } = options;
  const deadline = performance.now() + timeoutMs;
  let last: unknown = new Error('it answered false');
  for (;;) {
    try {
      const answer = await fn();
      if (answer !== false) return answer as Exclude<T, false>;
      last = new Error('it answered false');
    } catch (error) {
      last = error;
    }
    if (performance.now() >= deadline) {
      const reason = last instanceof Error ? last.message : String(last);
      throw new Error(`Not within ${timeoutMs} ms: ${reason}`, { cause: last });
    }
    await delay(intervalMs);
  }
}
