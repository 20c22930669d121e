import type { Service } from './service.ts';

/** Several loops as one service: it ends when all have ended, and one that fails ends the others. */
export function joinServices(name: string, loops: readonly Service[]): Service {
  return {
    name,
    async run(stop) {
      const failed = new AbortController();
      const signal = AbortSignal.any([stop, failed.signal]);
      const results = await Promise.allSettled(
        loops.map(async (loop) => {
          try {
            await loop.run(signal);
          } catch (error) {
            failed.abort(error);
            throw error;
          }
        }),
      );
      for (const result of results) if (result.status === 'rejected') throw result.reason;
    },
    health() {
      const healths = loops.map((loop) => loop.health());
      return {
        live: healths.every(({ live }) => live),
        ready: healths.every(({ ready }) => ready),
        detail: loops.map((loop, index) => `${loop.name}: ${healths[index]!.detail}`).join('; '),
      };
    },
  };
}
