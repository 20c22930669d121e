const UNITS_MS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** What `durationMs` reads, but for a lone `0`. */
export const DURATION_PATTERN = /^(\d+(\.\d+)?(ms|s|m|h|d))+$/;

/** `10s`, `1m30s`, `500ms`, `0`; Go's spelling, as the flags take it (which load nothing of the core). In milliseconds; undefined when it is no duration. */
export function durationMs(text: string): number | undefined {
  if (text === '0') return 0;
  if (!DURATION_PATTERN.test(text)) return undefined;
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)];
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * UNITS_MS[unit!]!, 0);
}
