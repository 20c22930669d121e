import { chains, type Chain } from '../repository/coverage.ts';
import { reachedMsOf } from '../repository/full-times.ts';
import type { DeltaEntry, Inventory } from '../repository/inventory.ts';
import type { PinnedPoint, RetentionCode, RetentionOptions } from './plan-retention.ts';
import type { RetentionPolicy } from './policy.ts';
import { wantedFulls, type RetentionClock } from './wanted-fulls.ts';
import { windowNeeds, type WindowNeed } from './window.ts';

/** Where the backups end, the policy that goes by days of the calendar goes on for so long, and then stands still. */
const CALENDAR_STOPS_MS = 86_400_000;

/** What is kept of one timeline: its fulls with their reasons, and what deltas they need. */
export interface KeptChains {
  chains: readonly Chain[];
  fulls: ReadonlyMap<string, { code: RetentionCode; reason: string }>;
  /** Revisions above fulls whose deltas stay, and why. */
  spans: { first: number; last: number; code: RetentionCode; reason: string }[];
  window: WindowNeed | undefined;
  /** A later timeline has a full: nothing will be added to this one. */
  isClosed: boolean;
}

/** Which fulls stay, and for which revisions they need deltas; by timeline. */
export function keptChains(
  inventory: Inventory,
  policy: RetentionPolicy,
  options: RetentionOptions,
): Map<number, KeptChains> {
  const chainsOf = new Map(inventory.timelines.map((timeline) => [timeline.timeline, chains(timeline)]));
  const all = inventory.timelines.flatMap(({ fulls }) => fulls);
  const lastBased = inventory.timelines.findLast(({ fulls }) => fulls.length > 0);
  const newestChain = chainsOf.get(lastBased?.timeline ?? 0)?.at(-1);
  const clock = clockOf(newestChain, lastBased?.deltas ?? [], options.nowMs);
  const wanted = wantedFulls(all, policy, clock);
  const keys = new Set(all.map(({ key }) => key));
  const held: Held = {
    newest: newestChain?.full.key,
    proven: options.provenFullKeys?.find((key) => keys.has(key)),
    wanted,
  };
  const forced = new Set([...wanted.keys(), held.newest, held.proven].filter((key) => key !== undefined));
  const windowMs = policy.windowMs;
  const needs =
    windowMs > 0
      ? windowNeeds(inventory, chainsOf, { startMs: clock.agingMs - windowMs, windowMs, keptFulls: forced })
      : new Map<number, WindowNeed>();
  return new Map(
    inventory.timelines.map(({ timeline }) => {
      const own = chainsOf.get(timeline)!;
      const window = needs.get(timeline);
      const pins = (options.pins ?? []).filter((pin) => pin.timeline === timeline);
      const kept = keptOf(own, held, { window, pins, withBase: policy.deltaRetention === 'with-base' });
      return [timeline, { ...kept, chains: own, window, isClosed: timeline < (lastBased?.timeline ?? 0) }];
    }),
  );
}

interface Held {
  newest: string | undefined;
  proven: string | undefined;
  wanted: ReadonlyMap<string, string>;
}

function keptOf(
  own: readonly Chain[],
  { newest, proven, wanted }: Held,
  { window, pins, withBase }: { window: WindowNeed | undefined; pins: readonly PinnedPoint[]; withBase: boolean },
): Pick<KeptChains, 'fulls' | 'spans'> {
  const fulls = new Map<string, { code: RetentionCode; reason: string }>();
  const spans: KeptChains['spans'] = [];
  const keep = ({ full, to }: Chain, code: RetentionCode, reason: string, last?: number): void => {
    if (!fulls.has(full.key)) fulls.set(full.key, { code, reason });
    const above = { first: full.revision + 1, last: last ?? to };
    if (above.first <= above.last) spans.push({ ...above, code, reason });
  };
  const byKey = new Map(own.map((chain) => [chain.full.key, chain]));
  const find = (key: string | undefined): Chain | undefined => (key === undefined ? undefined : byKey.get(key));
  const newestChain = find(newest);
  if (newestChain !== undefined) keep(newestChain, 'newest', 'the newest chain');
  const provenChain = find(proven);
  if (provenChain !== undefined) keep(provenChain, 'proven', 'the last chain that was proved');
  for (const pin of pins) {
    const chain = chainOfPin(own, byKey.get(pin.full), pin.revision);
    if (chain !== undefined) keep(chain, 'pinned', `pinned at revision ${pin.revision}`, pin.revision);
  }
  for (const chain of own) {
    const reason = wanted.get(chain.full.key);
    if (reason !== undefined) keep(chain, 'rule', reason, withBase ? chain.to : chain.full.revision);
  }
  const inWindow = 'inside of the point-in-time window';
  for (const chain of own) {
    if (window?.fulls.has(chain.full.key) === true) keep(chain, 'window', inWindow, chain.full.revision);
  }
  for (const lead of window?.leads ?? []) {
    spans.push({ ...lead, code: 'window', reason: 'leads into the point-in-time window' });
  }
  return { fulls, spans };
}

/** The chain that a pin is kept by: that of its own full, else the nearest full below, else one that is cut. */
function chainOfPin(own: readonly Chain[], preferred: Chain | undefined, revision: number): Chain | undefined {
  const makes = ({ from, to }: Chain): boolean => from <= revision && revision <= to;
  if (preferred !== undefined && makes(preferred)) return preferred;
  return own.findLast((chain) => chain.full.revision <= revision && makes(chain)) ?? own.find(makes);
}

/**
 * Where no backups come any more, nothing must go because of its age: ages are counted to the newest backup. What is newest, the
 * newest chain says: it stays, so that planning again later tells the same time.
 */
function clockOf(newest: Chain | undefined, deltas: readonly DeltaEntry[], nowMs: number): RetentionClock {
  if (newest === undefined) return { nowMs, agingMs: nowMs, calendarMs: nowMs };
  const { full } = newest;
  const reachedMs = reachedMsOf(full);
  let newestMs = reachedMs <= nowMs ? reachedMs : 0;
  for (const { last, lastObservedMs } of deltas) {
    if (last > full.revision && lastObservedMs <= nowMs) newestMs = Math.max(newestMs, lastObservedMs);
  }
  if (newestMs === 0) return { nowMs, agingMs: nowMs, calendarMs: nowMs };
  return { nowMs, agingMs: newestMs, calendarMs: Math.min(nowMs, newestMs + CALENDAR_STOPS_MS) };
}
