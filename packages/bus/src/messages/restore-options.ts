import { ETCD_TARGETS } from '@etcd-ops/core';
import { z } from 'zod';
import { nameSchema } from './task-base.ts';

const pathSchema = z.string().min(1).max(4096);

/** What a restore writes and for which membership; shared by the request and the task. */
export const restoreOptionsShape = {
  /** One data directory for each member to write, by the member's name. */
  dataDirs: z
    .array(z.strictObject({ member: nameSchema, dataDir: pathSchema, walDir: pathSchema.exactOptional() }))
    .min(1)
    .max(64),
  /** As etcd's --initial-cluster: `m1=http://10.0.0.1:2380,m2=...`. */
  initialCluster: z.string().min(1).max(65_536),
  token: z.string().min(1).max(256).default('etcd-cluster'),
  target: z.enum(ETCD_TARGETS).exactOptional(),
  leaseUnknownTtlSeconds: z.number().int().min(1).max(9_000_000_000).exactOptional(),
  skipHashCheck: z.boolean().exactOptional(),
};
