import { z } from 'zod';

/** Names of clusters, pools and ids are encoded wherever they become part of a subject: any text will do. */
export const nameSchema = z.string().min(1).max(200);
/** Lower-case hex without 0x: cluster, member and lease ids. */
export const hexIdSchema = z.string().regex(/^[0-9a-f]{1,16}$/);
export const revisionSchema = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
export const timelineSchema = z.number().int().min(1).max(99_999_999);
export const digestSchema = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .nullable();
export const isoTimeSchema = z.iso.datetime();

export const periodMsSchema = z
  .number()
  .int()
  .min(100)
  .max(31 * 86_400_000);

/** What every task carries. Version 1 of all of them. */
export const taskBaseShape = {
  version: z.literal(1),
  id: nameSchema,
  cluster: nameSchema,
  /** `any`, or the label of the hosts that may do it. */
  pool: nameSchema.default('any'),
  /** The moment of the schedule that asked for it; such a task is done at most once per tick. */
  tick: isoTimeSchema.exactOptional(),
  createdAt: isoTimeSchema,
};
