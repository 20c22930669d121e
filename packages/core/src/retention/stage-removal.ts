import type { HoldRecord } from '../repository/retention-records.ts';
import { parseObjectKey, type ParsedKey } from '../repository/object-key.ts';
import { markedKeys, type RetentionRecords, type StoredRecord } from '../repository/read-retention-records.ts';
import type { RetentionDecision, RetentionPlan } from './plan-retention.ts';

/** A store that would not delete an object is asked again after this time, twice as long each time, up to a week. */
const REFUSED_RETRY_MS = 3_600_000;
const REFUSED_RETRY_MS_MAX = 7 * 86_400_000;
/** Clocks of hosts and stores may be apart by so much. */
const CLOCK_SKEW_MS = 60_000;

export interface StageOptions {
  nowMs: number;
  /** Between marking and removing: whoever planned with an object before it was marked has so long to be done or to hold it. */
  graceMs: number;
}

/** What one run may do about a plan's removals. Each decision is in exactly one of these. */
export interface RemovalStage {
  /** Not marked yet. */
  mark: RetentionDecision[];
  /** Marked, and not long enough ago. */
  waiting: { decision: RetentionDecision; dueMs: number }[];
  /** Somebody reads it. */
  held: { decision: RetentionDecision; hold: HoldRecord }[];
  /** The store would not delete it; asked again later. */
  refused: { decision: RetentionDecision; retryMs: number }[];
  /** Marked long enough ago, and nobody reads it. In the plan's order. */
  remove: RetentionDecision[];
}

/** Sorts the removals of a plan by how far they are. Pure. */
export function stageRemoval(plan: RetentionPlan, records: RetentionRecords, options: StageOptions): RemovalStage {
  const dueMs = dueTimes(records, options);
  const retryMs = retryTimes(records);
  const holds = liveHolds(records, options.nowMs);
  const stage: RemovalStage = { mark: [], waiting: [], held: [], refused: [], remove: [] };
  for (const decision of plan.remove) {
    const due = latest(decision.keys.map((key) => dueMs.get(key)));
    const retry = Math.max(0, ...decision.keys.map((key) => retryMs.get(key) ?? 0));
    const hold = holds.find((live) => isHeld(decision, live));
    if (due === undefined) stage.mark.push(decision);
    else if (hold !== undefined) stage.held.push({ decision, hold });
    else if (due > options.nowMs) stage.waiting.push({ decision, dueMs: due });
    else if (retry > options.nowMs) stage.refused.push({ decision, retryMs: retry });
    else stage.remove.push(decision);
  }
  return stage;
}

/** Holds that count now. One that cannot be read counts as one on everything, for as long as any hold may. */
export function liveHolds({ holds, damaged }: RetentionRecords, nowMs: number): HoldRecord[] {
  const isLive = ({ record, modifiedAtMs }: StoredRecord<HoldRecord>): boolean =>
    nowMs < modifiedAtMs + record.ttlMs + CLOCK_SKEW_MS;
  const unreadable = damaged
    .filter(({ kind, modifiedAtMs }) => kind === 'hold' && nowMs < modifiedAtMs + REFUSED_RETRY_MS)
    .map(({ modifiedAtMs }): HoldRecord => ({
      ...{ version: 1, kind: 'hold', cluster: 'unknown', purpose: 'a hold that cannot be read', holder: 'unknown' },
      createdAt: new Date(modifiedAtMs).toISOString(),
      ttlMs: REFUSED_RETRY_MS,
    }));
  return [...holds.filter(isLive).map(({ record }) => record), ...unreadable];
}

/** When marked objects may go, by key. Both clocks must say that the grace is over: that of the marker and that of the store. */
function dueTimes({ marks }: RetentionRecords, { graceMs }: StageOptions): Map<string, number> {
  const due = new Map<string, number>();
  for (const mark of marks) {
    const markedMs = graceMs === 0 ? 0 : Math.max(Date.parse(mark.record.markedAt), mark.modifiedAtMs);
    for (const key of markedKeys(mark)) due.set(key, Math.min(due.get(key) ?? Infinity, markedMs + graceMs));
  }
  return due;
}

function retryTimes({ marks }: RetentionRecords): Map<string, number> {
  const retry = new Map<string, number>();
  for (const mark of marks) {
    const prefix = mark.key.slice(0, mark.key.indexOf('/') + 1);
    for (const { key, at, times } of mark.record.refused ?? []) {
      const waitMs = Math.min(REFUSED_RETRY_MS * 2 ** Math.max(0, times - 1), REFUSED_RETRY_MS_MAX);
      retry.set(prefix + key, Math.max(retry.get(prefix + key) ?? 0, Date.parse(at) + waitMs));
    }
  }
  return retry;
}

/** Undefined when one of them is: the whole of a full is marked or nothing of it. What has gone already does not count. */
function latest(times: readonly (number | undefined)[]): number | undefined {
  let last = 0;
  for (const time of times) {
    if (time === undefined) return undefined;
    last = Math.max(last, time);
  }
  return last;
}

function isHeld({ keys }: RetentionDecision, { chain }: HoldRecord): boolean {
  if (chain === undefined) return true;
  return keys.some((key) => key === chain.full || isOfChain(parseObjectKey(key), chain));
}

/** Deltas that overlap what lies above the full, and lease objects of it; which of several is read, the reader decides. */
function isOfChain(parsed: ParsedKey | undefined, chain: NonNullable<HoldRecord['chain']>): boolean {
  const full = parseObjectKey(chain.full);
  if (full?.kind !== 'full' || parsed === undefined || !('timeline' in parsed)) return false;
  if (parsed.timeline !== chain.timeline) return false;
  if (parsed.kind === 'leases') return full.revision <= parsed.revision && parsed.revision <= chain.to;
  if (parsed.kind !== 'delta') return false;
  return parsed.last > full.revision && parsed.first <= chain.to;
}
