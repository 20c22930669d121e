import { integerSetting } from '@etcd-ops/service-kit';
import { z } from 'zod';

const MIB = 1024 * 1024;

/** The uploader's own settings. */
export const uploaderSettings = z.object({
  /** A delta object is closed before it grows above this; it is built in memory and stored with one conditional put. */
  deltaObjectBytesMax: integerSetting({ min: 1, max: 1024 * MIB, default: 16 * MIB }),
  deltaConcurrencyMax: integerSetting({ min: 1, max: 256, default: 4 }),
  fullConcurrencyMax: integerSetting({ min: 1, max: 64, default: 1 }),
  /** Bytes that one full snapshot may take in the spool directory. */
  spoolBytesMax: integerSetting({ min: MIB, max: Number.MAX_SAFE_INTEGER, default: 64 * 1024 * MIB }),
  taskAttemptsMax: integerSetting({ min: 1, max: 100, default: 5 }),
  taskBackoffMs: integerSetting({ min: 1, max: 600_000, default: 1_000 }),
  /** An uploader that is silent for so long has lost its task to another one. */
  taskAckWaitMs: integerSetting({ min: 1_000, max: 600_000, default: 30_000 }),
});

export type UploaderSettings = z.output<typeof uploaderSettings>;
