import { EtcdOpsError } from '../base/errors.ts';
import { gapsOf, rangesOf, type Gap, type RestorableRange } from './coverage.ts';
import type { Inventory, TimelineInventory } from './inventory.ts';
import { parseObjectKey } from './object-key.ts';

/** Ranges that a message names; a repository may have hundreds. */
const RANGES_NAMED_MAX = 5;

/**
 * Why no full can be used: there is none (NO_BACKUP), or those that are there are damaged (OBJECT_DAMAGED, MANIFEST_DAMAGED): whoever
 * watches over backups must be able to tell one from the other.
 */
export function noBackup(inventory: Inventory, timeline?: number): EtcdOpsError {
  const { cluster, incomplete, damaged } = inventory;
  const place = timeline === undefined ? '' : `, timeline ${timeline},`;
  const extras = [
    incomplete.length === 0 ? undefined : `${incomplete.length} incomplete`,
    damaged.length === 0 ? undefined : `${damaged.length} damaged (${damaged[0]!.key}: ${damaged[0]!.reason})`,
  ].filter((text) => text !== undefined);
  const found = extras.length === 0 ? '' : `; found: ${extras.join(', ')}`;
  const facts = {
    cluster,
    timeline,
    incomplete: incomplete.length,
    damaged: damaged.length,
    key: damaged[0]?.key ?? incomplete[0]?.key,
  };
  const message = `Cluster ${cluster}${place} has no complete full snapshot${found}`;
  const code = codeOfDamage(damaged, timeline);
  if (code === undefined && incomplete.length === 0) {
    return new EtcdOpsError('NO_BACKUP', {
      message,
      facts,
      ...(timeline === undefined ? {} : { remedy: '`etcd-ops list` shows the timelines.' }),
    });
  }
  return new EtcdOpsError(code ?? 'NO_BACKUP', {
    message,
    facts,
    remedy:
      'Take a new full while the cluster lives (`etcd-ops snapshot --once`), or bring back an undamaged copy of these files; `etcd-ops list` names all of them.',
  });
}

/** Of the newest full that would be there if it were not damaged. */
function codeOfDamage(
  damaged: Inventory['damaged'],
  timeline: number | undefined,
): 'OBJECT_DAMAGED' | 'MANIFEST_DAMAGED' | undefined {
  const kinds = damaged.flatMap(({ key }) => {
    const parsed = parseObjectKey(key);
    if (parsed?.kind !== 'full' && parsed?.kind !== 'manifest') return [];
    const full = parsed.kind === 'full' ? parsed : parseObjectKey(parsed.fullKey);
    const isMeant = timeline === undefined || (full?.kind === 'full' && full.timeline === timeline);
    return isMeant ? [parsed.kind] : [];
  });
  const newest = kinds.at(-1);
  if (newest === undefined) return undefined;
  return newest === 'full' ? 'OBJECT_DAMAGED' : 'MANIFEST_DAMAGED';
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
