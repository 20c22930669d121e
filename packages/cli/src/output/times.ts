/** `2026-11-20T09:03:11.500Z` -> `2026-11-20 09:03:11Z`; what is no time stays as it is. */
export function formatTime(iso: string): string {
  return iso.replace(/^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d+)?Z$/, '$1 $2Z');
}

/** `34 s ago`, `5 min ago`, `3 h ago`, `2 days ago`. */
export function formatAgo(iso: string, nowMs: number): string {
  return `${formatSpan(nowMs - Date.parse(iso))} ago`;
}

/** `in 34 s`. */
export function formatAhead(iso: string, nowMs: number): string {
  return `in ${formatSpan(Date.parse(iso) - nowMs)}`;
}

/** Coarse, as people say it; a clock that is a little behind is no negative time. */
function formatSpan(ms: number): string {
  const seconds = Math.max(0, ms) / 1_000;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3_600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}
