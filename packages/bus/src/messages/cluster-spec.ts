import { hasPossiblePort, LEVEL_MAX, storePlace, storeSpecSchema } from '@etcd-ops/core';
import { z } from 'zod';
import { destinationsSchema } from './destination-spec.ts';
import { encryptionSpecSchema } from './encryption-spec.ts';
import { retentionSchema } from './retention-spec.ts';
import { nameSchema, periodMsSchema } from './task-base.ts';

const pathSchema = z.string().min(1).max(4096);
/** Its shape; the scheduler decides about the rest, see its `parseSchedule`. */
const cronSchema = z
  .string()
  .max(256)
  .regex(
    /^\s*((CRON_)?TZ=\S+\s+)?(@\w+(\s+\w+)?|[^@\s]\S*(\s+\S+){4,5})\s*$/,
    'five or six cron fields, @hourly, @daily, ... or @every 20m',
  );
const bytesSchema = z.number().int().min(1).max(Number.MAX_SAFE_INTEGER);

const endpointSchema = z
  .string()
  .max(1024)
  .regex(/^(https?:\/\/)?[^\s/@]+$/, 'host:port or http(s)://host:port, without credentials')
  .refine(hasPossiblePort, 'a port is a number from 1 to 65535');

const credentialSchema = z.strictObject({ username: z.string().min(1).max(256), passwordFile: pathSchema });

const snapshotsFields = z.strictObject({
  schedule: cronSchema.default('*/20 * * * *'),
  /** Of fulls and deltas. */
  codec: z.enum(['none', 'gzip', 'zlib', 'zstd']).default('none'),
  /** 1 unless told. */
  compressionLevel: z.number().int().min(1).max(19).exactOptional(),
  /** 0 turns deltas off. */
  deltaPeriodMs: z.union([z.literal(0), periodMsSchema]).default(10_000),
  /** A delta is made early when this much waits. */
  deltaBytesMax: bytesSchema.default(10 * 1024 * 1024),
  /** Take a full also from a member that has no quorum behind it: the last backup of a dying cluster. */
  allowStale: z.boolean().exactOptional(),
});

const snapshotsSchema = snapshotsFields.refine(
  ({ codec, compressionLevel = 1 }) => compressionLevel <= LEVEL_MAX[codec],
  { path: ['compressionLevel'], message: 'gzip and zlib have levels 1 to 9, zstd 1 to 19, none has no level but 1' },
);

const defragSchema = z.strictObject({
  schedule: cronSchema.default('0 0 */3 * *'),
  enabled: z.boolean().default(false),
  /** Members that would gain less are left alone. */
  minReclaimBytes: bytesSchema.default(64 * 1024 * 1024),
});

/** What is proved of the backups, and what the cluster is asked for it. */
const proofSchema = z.strictObject({
  /** When the newest chains are rebuilt in scratch space and hashed. */
  schedule: cronSchema.default('17 3 * * *'),
  enabled: z.boolean().default(true),
  /** Compare each full with the deltas before it. */
  edge: z.boolean().default(true),
  /**
   * `free`: members are asked only for hashes that a compaction has left (etcd 3.5.5). `follower`: where there are none, a follower of
   * three or more may hash all its rows, at most once an hour. `off`: never asked.
   */
  witnesses: z.enum(['free', 'follower', 'off']).default('follower'),
  /** How often members are asked whether a compaction has happened; one call of a millisecond. */
  witnessPeriodMs: periodMsSchema.default(300_000),
  /** Bytes that a rebuilt chain may take in the restorer's scratch space. */
  scratchBytesMax: bytesSchema.default(64 * 1024 * 1024 * 1024),
});

/** Small deltas become larger ones, so that a long chain is read from few objects. */
function isWholeMultiple(larger: number, smaller: number): boolean {
  return larger > smaller && larger % smaller === 0;
}

const mergingSchema = z.strictObject({
  enabled: z.boolean().default(true),
  periodMs: periodMsSchema.default(300_000),
  /** Windows of time whose deltas become one object, ascending; each a whole multiple of the one before it. */
  windowsMs: z
    .array(periodMsSchema)
    .min(1)
    .max(8)
    .refine(
      (windows) => windows.every((window, index) => index === 0 || isWholeMultiple(window, windows[index - 1]!)),
      'each must be a whole multiple of the one before it',
    )
    .default([300_000, 3_600_000, 86_400_000]),
  /** A window is left alone until it has been over for so long. */
  settleMs: periodMsSchema.default(600_000),
  /** A window with more bytes of deltas stays as it is. */
  bytesMax: bytesSchema.max(1024 * 1024 * 1024).default(512 * 1024 * 1024),
});

const timeoutsSchema = z.strictObject({
  connectMs: periodMsSchema.default(10_000),
  requestMs: periodMsSchema.default(10_000),
  snapshotMs: periodMsSchema.default(3_600_000),
  defragMs: periodMsSchema.default(480_000),
});

const labelKeySchema = z
  .string()
  .regex(/^[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?$/, 'letters, digits, dots, dashes, underscores and slashes');

/** The fields of a cluster's spec, for who takes some of them away; what joins them is checked by `checkClusterSpec`. */
export const clusterSpecFields = z.strictObject({
  version: z.literal(1),
  name: nameSchema,
  endpoints: z.array(endpointSchema).min(1).max(128),
  tls: z
    .strictObject({
      caFile: pathSchema.exactOptional(),
      certFile: pathSchema.exactOptional(),
      keyFile: pathSchema.exactOptional(),
      insecureSkipVerify: z.boolean().exactOptional(),
    })
    .exactOptional(),
  /** The user for capture: read on the whole key space. Serves everything when there is no other. */
  auth: credentialSchema.exactOptional(),
  /** The user for snapshots, defragmentation and auth status: the role `root`. Alone it serves everything. */
  maintenanceAuth: credentialSchema.exactOptional(),
  store: storeSpecSchema,
  snapshots: snapshotsSchema.prefault({}),
  /** Absent: backups are stored in clear. */
  encryption: encryptionSpecSchema.exactOptional(),
  retention: retentionSchema.prefault({}),
  /** Further stores, each with its own retention. */
  destinations: destinationsSchema.exactOptional(),
  defrag: defragSchema.prefault({}),
  proof: proofSchema.prefault({}),
  merging: mergingSchema.prefault({}),
  timeouts: timeoutsSchema.prefault({}),
  /** Of the schedules, by its IANA name. In the spec, since the zones of hosts would give each scheduler ticks of its own. */
  timezone: z.string().min(1).max(64).default('UTC'),
  /** Bytes of events that may wait in NATS before the watcher is held back. */
  eventBytesMax: bytesSchema.default(1024 * 1024 * 1024),
  /** What people sort clusters by: `env: production`. Nothing is decided by it. */
  labels: z.record(labelKeySchema, z.string().max(256)).exactOptional(),
  /** Registered one at a time: a file that is applied and does not name it leaves it alone. Absent: by a file. */
  managedBy: z.literal('operator').exactOptional(),
});

/** A destination in the cluster's own store would be collected by two policies. */
export function checkClusterSpec(context: {
  value: Pick<z.infer<typeof clusterSpecFields>, 'store' | 'destinations'>;
  issues: z.core.$ZodRawIssue[];
}): void {
  const { store, destinations = [] } = context.value;
  for (const [index, destination] of destinations.entries()) {
    if (storePlace(destination.store) !== storePlace(store)) continue;
    context.issues.push({
      code: 'custom',
      path: ['destinations', index, 'store'],
      message: "the same place as the cluster's own store",
      input: destination.store,
    });
  }
}

/**
 * What etcd-ops knows of a cluster under care. Configuration: an unknown field is an error, never ignored.
 * Credentials are only referred to: a password is a file on the hosts that need it.
 */
export const clusterSpecSchema = clusterSpecFields.check(checkClusterSpec);
export type ClusterSpec = z.infer<typeof clusterSpecSchema>;
export type ClusterSpecInput = z.input<typeof clusterSpecSchema>;
