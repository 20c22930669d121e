import { storePlace, storeSpecSchema } from '@etcd-ops/core';
import { z } from 'zod';
import { retentionSchema } from './retention-spec.ts';
import { periodMsSchema } from './task-base.ts';

/** Part of subjects, of ids and of lines for people. */
export const destinationNameSchema = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$/, 'up to 40 letters, digits, dashes and underscores');

/** A further store of a cluster: what the first one holds is copied there, as far as the retention here would keep it. */
const destinationSchema = z.strictObject({
  name: destinationNameSchema,
  store: storeSpecSchema,
  /** Of this store alone; `gcPeriodMs` has no meaning here, since each copy is followed by a collection. */
  retention: retentionSchema.prefault({}),
  /** How often it is looked whether there is something new to be copied. */
  periodMs: periodMsSchema.default(300_000),
});
export type DestinationSpec = z.infer<typeof destinationSchema>;

function areUnique(values: readonly string[]): boolean {
  return new Set(values).size === values.length;
}

export const destinationsSchema = z
  .array(destinationSchema)
  .max(16)
  .refine((all) => areUnique(all.map(({ name }) => name)), 'each destination needs a name of its own')
  .refine((all) => areUnique(all.map(({ store }) => storePlace(store))), 'two destinations are the same place');
