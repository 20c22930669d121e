import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { METRICS_COMPAT } from '../metrics-compat.ts';
import { integerSetting } from './settings.ts';

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What every service process reads from its environment. Secrets come from files only, so that no environment dump shows them. */
export const baseSettings = z.object({
  natsUrl: z.string().default('nats://127.0.0.1:4222'),
  natsTokenFile: z.string().optional(),
  natsUser: z.string().optional(),
  natsPasswordFile: z.string().optional(),
  natsCredsFile: z.string().optional(),
  natsNkeyFile: z.string().optional(),
  natsCaFile: z.string().optional(),
  natsCertFile: z.string().optional(),
  natsKeyFile: z.string().optional(),
  /** Who the restorer is in the account of people's requests (OPS); without them, that account is the same as the other. */
  natsOpsUrl: z.string().optional(),
  natsOpsTokenFile: z.string().optional(),
  natsOpsUser: z.string().optional(),
  natsOpsPasswordFile: z.string().optional(),
  natsOpsCredsFile: z.string().optional(),
  natsOpsNkeyFile: z.string().optional(),
  /** 0 takes any free port; the log says which. */
  httpPort: integerSetting({ min: 0, max: 65_535, default: 0 }),
  httpHost: z.string().default('0.0.0.0'),
  /** Serves the metrics of the seed tool, or of gardener's etcd-backup-restore, beside our own. */
  metricsCompat: z.enum(METRICS_COMPAT).default('off'),
  logLevel: z.enum(LOG_LEVELS).default('info'),
  logFormat: z.enum(['json', 'pretty']).default('json'),
  /** After a first SIGTERM or SIGINT, work in hand gets this long. */
  drainTimeoutMs: integerSetting({ min: 0, max: 3_600_000, default: 25_000 }),
  stateDir: z.string().default(join(tmpdir(), 'etcd-ops', 'state')),
  spoolDir: z.string().default(join(tmpdir(), 'etcd-ops', 'spool')),
});

export type BaseSettings = z.output<typeof baseSettings>;
