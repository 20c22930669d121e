import { describe, expect, it } from 'vitest';
import { createLogger } from './logger.ts';
import { cancelled } from './clock.ts';
import { runServices } from './run-services.ts';
import type { Service } from './service.ts';

const logger = createLogger({ level: 'silent', name: 'test' });
const health = () => ({ live: true, ready: true, detail: '' });

function daemon(name: string, events: string[], body: (signal: AbortSignal) => Promise<void> = untilAborted): Service {
  return {
    name,
    health,
    async run(signal) {
      events.push(`${name} starts`);
      try {
        await body(signal);
      } finally {
        events.push(`${name} ends`);
      }
    },
  };
}

const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });

describe('runServices', () => {
  it('starts in order and stops in reverse', async () => {
    const events: string[] = [];
    const stop = new AbortController();
    const running = runServices([daemon('a', events), daemon('b', events), daemon('c', events)], {
      logger,
      signal: stop.signal,
      drainTimeoutMs: 1_000,
    });
    while (events.length < 3) await new Promise((resolve) => setImmediate(resolve));
    stop.abort();
    await running;
    expect(events).toEqual(['a starts', 'b starts', 'c starts', 'c ends', 'b ends', 'a ends']);
  });

  it('stops all at the first failure, and throws it', async () => {
    const events: string[] = [];
    const failing = daemon('b', events, () => Promise.reject(new Error('b is broken')));
    const running = runServices([daemon('a', events), failing, daemon('c', events)], {
      logger,
      signal: new AbortController().signal,
      drainTimeoutMs: 1_000,
    });
    await expect(running).rejects.toThrow('b is broken');
    expect(events).toEqual(['a starts', 'b starts', 'b ends', 'a ends']);
  });

  it('takes an end that nobody asked for as a failure', async () => {
    const running = runServices([daemon('a', [], () => Promise.resolve())], {
      logger,
      signal: new AbortController().signal,
      drainTimeoutMs: 1_000,
    });
    await expect(running).rejects.toThrow('a ended without being asked to');
  });

  it('takes being cancelled when asked to stop as a proper end', async () => {
    const stop = new AbortController();
    const running = runServices(
      [daemon('a', [], (signal) => untilAborted(signal).then(() => Promise.reject(cancelled())))],
      { logger, signal: stop.signal, drainTimeoutMs: 1_000 },
    );
    stop.abort();
    await running;
  });

  it('names those who do not drain in time', async () => {
    const stop = new AbortController();
    const events: string[] = [];
    const running = runServices([daemon('a', events), daemon('stuck', events, () => new Promise(() => {}))], {
      logger,
      signal: stop.signal,
      drainTimeoutMs: 20,
    });
    const outcome = expect(running).rejects.toThrow('Not drained within 20 ms: stuck');
    while (events.length < 2) await new Promise((resolve) => setImmediate(resolve));
    stop.abort();
    await outcome;
    expect(events).toContain('a ends');
  });

  it('starts nothing when it was asked to stop before', async () => {
    const events: string[] = [];
    await runServices([daemon('a', events)], { logger, signal: AbortSignal.abort(), drainTimeoutMs: 1_000 });
    expect(events).toEqual([]);
  });
});
