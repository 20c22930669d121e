import type { ErrorCode } from '@etcd-ops/core';
import { formatDuration } from '../output/table.ts';
import { fail, ok, skip, warn, type CheckFinding } from './check-finding.ts';

/** Servers tell whole seconds, and an answer takes its time. */
const UNREMARKABLE_MS = 3_000;
/** Signed requests are refused from 15 minutes on; times of restore points are off by as much long before. */
const WRONG_MS = 60_000;

/** The clock of another machine, held against ours. */
export function judgeClock(given: {
  id: string;
  what: string;
  /** Positive: it is ahead of ours. */
  aheadMs: number | undefined;
  code: ErrorCode;
}): CheckFinding {
  const { id, what, aheadMs, code } = given;
  if (aheadMs === undefined) return skip({ id, what, why: 'it does not tell its time' });
  const off = Math.abs(aheadMs);
  if (off < UNREMARKABLE_MS) return ok({ id, what, why: 'agrees with that of this host' });
  const why = `it is ${formatDuration(off)} ${aheadMs > 0 ? 'ahead of' : 'behind'} that of this host`;
  const remedy = 'Set both right (NTP): restores by time and retention go by clocks.';
  return off < WRONG_MS ? warn({ id, what, why, remedy, code }) : fail({ id, what, why, remedy, code });
}
