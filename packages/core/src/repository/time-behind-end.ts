import { capturedLater, describeLater } from './captured-later.ts';
import { rangesOf } from './coverage.ts';
import type { Inventory, TimelineInventory } from './inventory.ts';
import { timeNotRestorable } from './not-restorable.ts';
import type { ResolvedTime } from './time-points.ts';

/**
 * For a time that turned into the end of what can be restored: what must be known of the time behind it. `timelines`: those that the time
 * was looked for in.
 * @throws EtcdOpsError TIME_NOT_RESTORABLE when the listing shows rows behind that end: the state of the time may be among them.
 */
export function describeTimeBehindEnd(
  inventory: Inventory,
  timelines: readonly TimelineInventory[],
  resolved: ResolvedTime,
  { timeMs, only }: { timeMs: number; only: boolean },
): string[] {
  const { timeline, revision } = resolved;
  const end = rangesOf(timelines.find((found) => found.timeline === timeline)!).at(-1)!;
  if (revision < end.to) return [];
  const time = new Date(timeMs).toISOString();
  const later = capturedLater(inventory, { timeline, revision }, { only, timeMs });
  if (later !== undefined) {
    const why = `The state of ${time} cannot be restored: ${describeLater(later)}`;
    throw timeNotRestorable(
      `${why}. Ask for revision ${revision} of timeline ${timeline}, the last before`,
      timelines,
      time,
    );
  }
  const lastMs = end.toTimeMs ?? resolved.observedMs;
  if (timeMs <= lastMs || resolved.fellBackFrom !== undefined) return [];
  return [
    `${time} is later than the last capture, at ${new Date(lastMs).toISOString()}: this is the state of then, and what came between is not in the backups.`,
  ];
}
