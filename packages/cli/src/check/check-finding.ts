import type { ErrorCode } from '@etcd-ops/core';

/** `skip`: could not be looked at, which is said and nothing more. */
export const CHECK_LEVELS = ['ok', 'skip', 'warn', 'fail'] as const;
export type CheckLevel = (typeof CHECK_LEVELS)[number];

/** One thing that was looked at. */
export interface CheckFinding {
  level: CheckLevel;
  /** `<area>.<thing>`: stays the same over versions, for programs. */
  id: string;
  /** What was looked at, for people. */
  what: string;
  /** What was found, without a full stop. */
  why: string;
  /** What to do; of warnings and failures. */
  remedy?: string;
  /** Decides the exit code; of warnings and failures. */
  code?: ErrorCode;
}

type Facts = Pick<CheckFinding, 'id' | 'what' | 'why'>;

export function ok(facts: Facts): CheckFinding {
  return { level: 'ok', ...facts };
}

export function skip(facts: Facts): CheckFinding {
  return { level: 'skip', ...facts };
}

export function warn(facts: Facts & { remedy: string; code: ErrorCode }): CheckFinding {
  return { level: 'warn', ...facts };
}

export function fail(facts: Facts & { remedy: string; code: ErrorCode }): CheckFinding {
  return { level: 'fail', ...facts };
}
