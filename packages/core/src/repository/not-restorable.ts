import { EtcdOpsError } from '../base/errors.ts';
import { gapsOf, rangesOf, type Gap, type RestorableRange } from './coverage.ts';
import type { Inventory, TimelineInventory } from './inventory.ts';

/** Ranges that a message names; a repository may have hundreds. */
const RANGES_NAMED_MAX = 5;

export function noBackup(inventory: Inventory, timeline?: number): EtcdOpsError {
  const place = timeline === undefined ? '' : `, timeline ${timeline},`;
  const extras = [
    inventory.incomplete.length === 0 ? undefined : `${inventory.incomplete.length} incomplete`,
    inventory.damaged.length === 0
      ? undefined
      : `${inventory.damaged.length} damaged (${inventory.damaged[0]!.key}: ${inventory.damaged[0]!.reason})`,
  ].filter((text) => text !== undefined);
  const found = extras.length === 0 ? '' : `; found: ${extras.join(', ')}`;
  return new EtcdOpsError('NO_BACKUP', {
    message: `Cluster ${inventory.cluster}${place} has no complete full snapshot${found}`,
    facts: {
      cluster: inventory.cluster,
      timeline,
      incomplete: inventory.incomplete.length,
      damaged: inventory.damaged.length,
      key: inventory.damaged[0]?.key ?? inventory.incomplete[0]?.key,
    },
  });
}

/** Names the nearest restorable revisions and, inside a gap, the gap. */
export function revisionNotRestorable(timelines: readonly TimelineInventory[], revision: number): EtcdOpsError {
  const ranges = timelines.flatMap(rangesOf);
  const gap = timelines
    .flatMap((timeline) => gapsOf(timeline, rangesOf(timeline)))
    .find((found) => isInside(found, revision));
  const below = nearest(
    ranges.filter((range) => range.to < revision),
    (range) => revision - range.to,
  );
  const above = nearest(
    ranges.filter((range) => range.from > revision),
    (range) => range.from - revision,
  );
  const neighbours = [
    below === undefined ? undefined : `before it ${below.to}${inTimeline(below.timeline, timelines)}`,
    above === undefined ? undefined : `behind it ${above.from}${inTimeline(above.timeline, timelines)}`,
  ].filter((text) => text !== undefined);
  const why = gap === undefined ? '' : ` It lies in a gap: ${describeGap(gap)}.`;
  const message = `Revision ${revision} cannot be restored.${why} The nearest that can: ${neighbours.join(', ')}`;
  return new EtcdOpsError('REVISION_NOT_RESTORABLE', {
    message,
    remedy: `Restorable: ${describeRanges(ranges)}.`,
    facts: {
      revision,
      below: below?.to,
      above: above?.from,
      ranges: shortRanges(ranges),
      ...(gap === undefined
        ? {}
        : { gapFirst: gap.after + 1, gapLast: gap.before === undefined ? undefined : gap.before - 1 }),
    },
  });
}

export function timeNotRestorable(
  message: string,
  timelines: readonly TimelineInventory[],
  time?: string,
): EtcdOpsError {
  return new EtcdOpsError('TIME_NOT_RESTORABLE', {
    message,
    remedy: `Restorable: ${describeRanges(timelines.flatMap(rangesOf))}.`,
    facts: { time, ranges: shortRanges(timelines.flatMap(rangesOf)) },
  });
}

/** `1-120, 200-340`: in every language. */
function shortRanges(ranges: readonly RestorableRange[]): string {
  return ranges
    .slice(-RANGES_NAMED_MAX)
    .map(({ from, to }) => `${from}-${to}`)
    .join(', ');
}

/** `revisions 101 to 199 were not captured`, as far as is known. */
export function describeGap(gap: Gap): string {
  const first = gap.after + 1;
  const captured = gap.capturedTo === undefined ? '' : `, though deltas hold some up to ${gap.capturedTo}`;
  if (gap.before === undefined) return `there is no unbroken chain from ${first} on${captured}`;
  return `revisions ${first} to ${gap.before - 1} of timeline ${gap.timeline} are covered by no chain${captured}`;
}

export function describeRanges(ranges: readonly RestorableRange[]): string {
  const named = ranges.slice(-RANGES_NAMED_MAX).map((range) => {
    const times =
      range.fromTimeMs === undefined
        ? ''
        : `, ${new Date(range.fromTimeMs).toISOString()} to ${new Date(range.toTimeMs!).toISOString()}`;
    return `revisions ${range.from} to ${range.to} (timeline ${range.timeline}${times})`;
  });
  const more = ranges.length > RANGES_NAMED_MAX ? `${ranges.length - RANGES_NAMED_MAX} older ranges, ` : '';
  return `${more}${named.join(', ')}`;
}

function isInside(gap: Gap, revision: number): boolean {
  return revision > gap.after && revision < (gap.before ?? Infinity);
}

function nearest(
  ranges: readonly RestorableRange[],
  distance: (range: RestorableRange) => number,
): RestorableRange | undefined {
  return ranges.reduce<RestorableRange | undefined>(
    (best, range) => (best === undefined || distance(range) < distance(best) ? range : best),
    undefined,
  );
}

function inTimeline(timeline: number, all: readonly TimelineInventory[]): string {
  return all.length > 1 ? ` (timeline ${timeline})` : '';
}
