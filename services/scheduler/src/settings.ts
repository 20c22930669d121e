import { integerSetting } from '@etcd-ops/service-kit';
import { z } from 'zod';
import { notificationsSchema } from './notify/notification-settings.ts';

const MIB = 1024 * 1024;

/** An object of the schema, written as JSON where it comes from the environment. */
function jsonSetting<T extends z.ZodType>(schema: T) {
  const text = z.string().transform((value, context): unknown => {
    try {
      return JSON.parse(value);
    } catch {
      context.addIssue({ code: 'custom', message: 'must be JSON' });
      return z.NEVER;
    }
  });
  return z
    .union([text, z.record(z.string(), z.unknown())])
    .pipe(schema)
    .optional();
}

/** Of this process; schedules, their time zone and periods stand in each cluster's spec. All schedulers of a fleet should have the same. */
export const schedulerSettings = z.object({
  /** Fulls, garbage collections and defragmentations of a fleet are spread over so long behind their ticks. */
  schedulerJitterMsMax: integerSetting({ min: 0, max: 3_600_000, default: 60_000 }),
  /** A full is wanted once the deltas since the last one have so many bytes ... */
  schedulerChainBytesMin: integerSetting({ min: 1, max: Number.MAX_SAFE_INTEGER, default: 256 * MIB }),
  /** ... and so large a share of the full that they follow. */
  schedulerChainPercent: integerSetting({ min: 1, max: 10_000, default: 20 }),
  /** Garbage collection without a new full, for the rests of broken uploads, and merging without a new delta. */
  schedulerGcRestsEveryMs: integerSetting({ min: 60_000, max: 31 * 86_400_000, default: 6 * 3_600_000 }),
  /** How often the stream of a cluster is looked at for a delta that cannot wait for its period. */
  schedulerBytesCheckMs: integerSetting({ min: 100, max: 60_000, default: 1_000 }),
  /** Whom to tell of what went wrong, as JSON: `{"webhook":{"urlFile":"/run/secrets/hook"}}`. */
  schedulerNotifications: jsonSetting(notificationsSchema),
});

export type SchedulerSettings = z.output<typeof schedulerSettings>;
