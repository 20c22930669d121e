import { notificationsSchema } from '@etcd-ops/scheduler';
import { METRICS_COMPAT } from '@etcd-ops/service-kit';
import { z } from 'zod';

const pathSchema = z.string().min(1).max(4096);

/** Of the whole file; what a cluster is, `clusterSpecSchema` says. */
export const fleetFileSchema = z.strictObject({
  version: z.literal(1).default(1),
  /** Where the private NATS and the spool live. */
  stateDir: pathSchema.exactOptional(),
  /** host:port of /livez, /readyz and /metrics. */
  http: z.string().min(3).max(256).exactOptional(),
  /** Folders below which restores asked over NATS may write. */
  restoreRoots: z.array(pathSchema).max(64).exactOptional(),
  /** Key files that open encrypted backups, for restores and proofs of this daemon. */
  identityFiles: z.array(pathSchema).max(64).exactOptional(),
  /** Whom to tell of what failed. */
  notifications: notificationsSchema.exactOptional(),
  /** Serves the metrics of the seed tool or of gardener's etcd-backup-restore beside our own. */
  metricsCompat: z.enum(METRICS_COMPAT).exactOptional(),
  nats: z
    .strictObject({
      url: z.union([z.string(), z.array(z.string()).min(1)]),
      tokenFile: pathSchema.exactOptional(),
      user: z.string().min(1).max(256).exactOptional(),
      passwordFile: pathSchema.exactOptional(),
      nkeyFile: pathSchema.exactOptional(),
      credsFile: pathSchema.exactOptional(),
      caFile: pathSchema.exactOptional(),
      certFile: pathSchema.exactOptional(),
      keyFile: pathSchema.exactOptional(),
    })
    .exactOptional(),
  /** Laid below every cluster, key by key. */
  defaults: z.record(z.string(), z.unknown()).default({}),
  clusters: z.array(z.record(z.string(), z.unknown())).min(1).max(10_000),
});

export type FleetFile = z.infer<typeof fleetFileSchema>;
