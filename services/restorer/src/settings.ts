import { integerSetting, listSetting } from '@etcd-ops/service-kit';
import { z } from 'zod';

/** The restorer's own settings. */
export const restorerSettings = z.object({
  /** Restores that are asked for over NATS write below these directories and nowhere else; none means that they are refused. */
  restoreRoots: listSetting(),
  /** Key files that open encrypted backups; read anew for each task. Without them, encrypted backups are listed and not opened. */
  identityFile: listSetting(),
  restoreConcurrencyMax: integerSetting({ min: 1, max: 64, default: 1 }),
  restoreAttemptsMax: integerSetting({ min: 1, max: 100, default: 3 }),
  /** Which requests this process works off: those of any host, or those that name this label as their pool. */
  restorePool: z.string().min(1).max(200).default('any'),
  /** Verifications at the same time; each may rebuild a chain in scratch space. */
  verifyConcurrencyMax: integerSetting({ min: 1, max: 64, default: 1 }),
  /** Clusters whose deltas are merged at the same time. */
  mergeConcurrencyMax: integerSetting({ min: 1, max: 64, default: 1 }),
  /** Where chains are rebuilt and deltas merged; the spool directory unless told. Emptied after each. */
  scratchDir: z.string().min(1).max(4_096).optional(),
});

export type RestorerSettings = z.output<typeof restorerSettings>;
