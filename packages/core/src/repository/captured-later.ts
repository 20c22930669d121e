import { EtcdOpsError } from '../base/errors.ts';
import type { Inventory, TimelineInventory } from './inventory.ts';
import { parseObjectKey } from './object-key.ts';

/** What the listing shows to have been captured behind the newest revision that can be restored. */
export interface CapturedLater {
  /** Where the restorable history ends. */
  timeline: number;
  revision: number;
  /** The timeline of the later objects: the same one, or a newer one that has no full to begin with. */
  laterTimeline: number;
  /** The highest revision that any of them names. */
  capturedTo: number;
  /** The lowest revision that readable deltas behind the hole hold; absent when there are none. */
  goesOnAt?: number;
  /** Later objects that are there but cannot be used. */
  unusable: { key: string; reason: string }[];
}

export interface CapturedLaterOptions {
  /** Of this timeline alone: one that was asked for by its number is not weighed against newer ones. */
  only?: boolean;
  /** Newer timelines that had begun by then; all unless told. */
  timeMs?: number;
}

/**
 * Looks for anything that was captured later than `revision`, the end of what can be restored of `timeline`: deltas behind a hole,
 * deltas and fulls that are damaged or have lost their other half, and newer timelines with rows and without a full. Fulls whose
 * manifest is not written yet do not count: they were never finished.
 */
export function capturedLater(
  inventory: Inventory,
  { timeline, revision }: { timeline: number; revision: number },
  { only = false, timeMs = Infinity }: CapturedLaterOptions = {},
): CapturedLater | undefined {
  const unusable = unusableIn(inventory);
  const newer = inventory.timelines.filter((one) => one.timeline > timeline && hadBegun(one, timeMs));
  const numbers = new Set([...newer.map((one) => one.timeline), ...unusable.map((one) => one.timeline)]);
  const candidates = [timeline, ...[...numbers].filter((one) => !only && one > timeline).toSorted((a, b) => b - a)];
  for (const laterTimeline of candidates) {
    const found = inventory.timelines.find((one) => one.timeline === laterTimeline);
    if (found !== undefined && !hadBegun(found, timeMs)) continue;
    const above = laterTimeline === timeline ? revision : 0;
    const deltas = found?.deltas.filter(({ last }) => last > above) ?? [];
    const lost = unusable.filter((one) => one.timeline === laterTimeline && one.to > above);
    if (deltas.length === 0 && lost.length === 0) continue;
    const capturedTo = Math.max(
      deltas.reduce((highest, { last }) => Math.max(highest, last), 0),
      lost.reduce((highest, { to }) => Math.max(highest, to), 0),
    );
    return {
      ...{ timeline, revision, laterTimeline, capturedTo },
      ...(deltas.length === 0 ? {} : { goesOnAt: deltas[0]!.first }),
      unusable: lost.map(({ key, reason }) => ({ key, reason })),
    };
  }
  return undefined;
}

/** `revisions 51 to 105 are missing, and deltas behind them reach 151`, and which objects cannot be used. */
export function describeLater(later: CapturedLater): string {
  const { timeline, revision, laterTimeline, capturedTo, goesOnAt, unusable } = later;
  const [first] = unusable;
  const others = unusable.length > 1 ? `, and ${unusable.length - 1} more` : '';
  const named = first === undefined ? '' : `: ${first.key} (${first.reason}${others})`;
  if (laterTimeline !== timeline) {
    return `timeline ${laterTimeline} has rows up to revision ${capturedTo}, but no full that can be used${named}`;
  }
  if (goesOnAt === undefined) return `objects that reach revision ${capturedTo} cannot be used${named}`;
  return `revisions ${revision + 1} to ${goesOnAt - 1} are missing, though deltas behind them reach ${capturedTo}${named}`;
}

/** The newest state was asked for, and the newest that can be made is not it. */
export function newestNotRestorable(later: CapturedLater): EtcdOpsError {
  const { timeline, revision, laterTimeline, capturedTo, goesOnAt, unusable } = later;
  return new EtcdOpsError('NEWEST_NOT_RESTORABLE', {
    message: `Revision ${revision} of timeline ${timeline} is the newest that can be restored, but more was captured: ${describeLater(later)}`,
    remedy: `Bring the missing objects back (a copy of the repository, older versions in the bucket); or take less on purpose: \`restore --revision ${revision} --timeline ${timeline}\`, or --allow-older for whatever is the newest.`,
    facts: {
      revision,
      timeline,
      capturedTo,
      laterTimeline: laterTimeline === timeline ? undefined : laterTimeline,
      gapFirst: laterTimeline === timeline ? revision + 1 : undefined,
      gapLast: laterTimeline !== timeline || goesOnAt === undefined ? undefined : goesOnAt - 1,
      key: unusable[0]?.key,
    },
  });
}

function hadBegun({ record }: TimelineInventory, timeMs: number): boolean {
  return record === undefined || Date.parse(record.startedAt) <= timeMs;
}

interface Unusable {
  key: string;
  reason: string;
  timeline: number;
  /** The last revision that its name promises. */
  to: number;
}

function unusableIn({ damaged, incomplete }: Inventory): Unusable[] {
  const withoutData = incomplete.filter(({ missing }) => missing === 'data');
  return [...damaged, ...withoutData.map(({ key }) => ({ key, reason: 'its full is gone' }))].flatMap(
    ({ key, reason }): Unusable[] => {
      const parsed = parseObjectKey(key);
      if (parsed?.kind === 'delta') return [{ key, reason, timeline: parsed.timeline, to: parsed.last }];
      if (parsed?.kind !== 'full' && parsed?.kind !== 'manifest') return [];
      return [{ key, reason, timeline: parsed.timeline, to: parsed.revision }];
    },
  );
}
