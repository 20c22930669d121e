const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const WEEK_MS = 7 * DAY_MS;

/**
 * For tests: what one run of etcd-backup-restore's garbage collector keeps under its policy `Exponential`, by walking from the
 * newest full to the oldest and comparing each with the next newer one, as its `RunGarbageCollector` does (debd95b, July 2026).
 * @param timesMs ascending; it knows whole seconds.
 */
export function gardenerKeeps(timesMs: readonly number[], nowMs: number): Set<number> {
  const kept = new Set<number>();
  const seconds = timesMs.map((timeMs) => Math.floor(timeMs / 1000) * 1000);
  if (seconds.length > 0) kept.add(seconds.length - 1);
  let endMs = Math.floor(nowMs / DAY_MS) * DAY_MS + DAY_MS - 1000;
  let countsWeeks = false;
  for (let index = seconds.length - 2; index >= 0; index--) {
    const timeMs = seconds[index]!;
    const ageMs = endMs - timeMs;
    let periodMs: number;
    if (ageMs < DAY_MS) {
      const isOfThisHour = new Date(timeMs).getUTCHours() === new Date(nowMs).getUTCHours();
      periodMs = isOfThisHour ? 0 : HOUR_MS;
    } else if (ageMs < 8 * DAY_MS) periodMs = DAY_MS;
    else if (ageMs < 35 * DAY_MS) {
      if (!countsWeeks) endMs -= DAY_MS;
      countsWeeks = true;
      periodMs = WEEK_MS;
    } else periodMs = Infinity;
    const changes = (unitMs: number): number => {
      const units = (ms: number): number => Math.trunc((endMs - ms) / unitMs);
      return Math.trunc(((units(timeMs) - units(seconds[index + 1]!)) * unitMs) / periodMs);
    };
    if (periodMs === 0 || [HOUR_MS, DAY_MS, WEEK_MS].some((unitMs) => changes(unitMs) !== 0)) kept.add(index);
  }
  return kept;
}
