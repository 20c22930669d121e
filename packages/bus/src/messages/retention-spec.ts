import { DELTA_RETENTIONS, keepRulesOf, POLICY_NAMES } from '@etcd-ops/core';
import { z } from 'zod';
import { periodMsSchema } from './task-base.ts';

const keepCountSchema = z.number().int().min(0).max(1_000_000).exactOptional();
const keepDurationMsSchema = z
  .number()
  .int()
  .min(0)
  .max(100 * 366 * 86_400_000)
  .exactOptional();

/** What is kept, as `retentionPolicyOf` of the core reads it. Hours to years are counted in the spec's `timezone`. */
export const retentionSchema = z
  .strictObject({
    /** Absent: KeepRules when a `keep...` is given, else LimitBased. */
    policy: z.enum(POLICY_NAMES).exactOptional(),
    /** Fulls that LimitBased keeps. */
    maxBackups: z.number().int().min(1).max(1_000_000).default(240),
    keepLast: keepCountSchema,
    keepHourly: keepCountSchema,
    keepDaily: keepCountSchema,
    keepWeekly: keepCountSchema,
    keepMonthly: keepCountSchema,
    keepYearly: keepCountSchema,
    keepWithinMs: keepDurationMsSchema,
    /** Every revision younger than this stays restorable. */
    pointInTimeWindowMs: keepDurationMsSchema,
    /** Absent: newest-chain when there is a window, else with-base. */
    deltaRetention: z.enum(DELTA_RETENTIONS).exactOptional(),
    gcPeriodMs: periodMsSchema.default(60_000),
    /** From marking an object for removal to removing it: readers that cannot write a hold have so long. */
    graceMs: z
      .number()
      .int()
      .min(0)
      .max(31 * 86_400_000)
      .default(900_000),
  })
  .refine((retention) => retention.policy !== 'KeepRules' || keepRulesOf(retention).length > 0, {
    path: ['policy'],
    message:
      'KeepRules needs a rule: keepLast, keepHourly, keepDaily, keepWeekly, keepMonthly, keepYearly or keepWithinMs',
  });
