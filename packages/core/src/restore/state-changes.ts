import { EtcdOpsError } from '../base/errors.ts';
import type { LeaseMode, RestoreOptions } from './restore-options.ts';

/** What an operator may want changed in the restored state. */
export interface WantedChanges {
  leases?: LeaseMode | undefined;
  leaseUnknownTtlMs?: number | undefined;
  /** 0 is none, as for etcdutl. */
  bumpRevision?: number | undefined;
  markCompacted?: boolean | undefined;
  safeBump?: boolean | undefined;
  clearAlarms?: boolean | undefined;
}

/** The same as a restore takes it. */
export type StateChanges = Pick<RestoreOptions, 'bumpRevision' | 'leases' | 'leaseUnknownTtlSeconds' | 'dropAlarms'> & {
  safeBump: boolean;
};

export type ChangeName = 'leases' | 'leaseUnknownTtl' | 'bumpRevision' | 'markCompacted' | 'safeBump';
/** How whoever asked writes an option: `--bump-revision 5`, or `"bumpRevision":5`. */
export type SayChange = (name: ChangeName, value?: string | number) => string;

/** @throws EtcdOpsError USAGE for wishes that contradict each other, in the words of who has them. */
export function settleChanges(wanted: WantedChanges, say: SayChange): StateChanges {
  const { leases = 'renew', leaseUnknownTtlMs, safeBump = false, markCompacted = false, clearAlarms = false } = wanted;
  const bumpRevision = wanted.bumpRevision === 0 ? undefined : wanted.bumpRevision;
  if (bumpRevision !== undefined && safeBump) {
    throw usage(`${say('bumpRevision')} and ${say('safeBump')} contradict each other`, 'Leave one of them away.');
  }
  // etcdutl asks for both, too: a bump alone would leave watchers in a history that was not theirs.
  if (bumpRevision !== undefined && !markCompacted) {
    throw usage(
      `${say('bumpRevision')} needs ${say('markCompacted')}`,
      `Write ${say('bumpRevision', bumpRevision)} and ${say('markCompacted')}, or let ${say('safeBump')} choose.`,
    );
  }
  if (markCompacted && bumpRevision === undefined && !safeBump) {
    throw usage(
      `${say('markCompacted')} says nothing without a raised revision`,
      `Add ${say('bumpRevision')}, or let ${say('safeBump')} choose it.`,
    );
  }
  if (leases === 'drop' && leaseUnknownTtlMs !== undefined) {
    throw usage(
      `${say('leases', 'drop')} and ${say('leaseUnknownTtl')} contradict each other`,
      'Leave one of them away.',
    );
  }
  const seconds = leaseUnknownTtlMs === undefined ? undefined : leaseUnknownTtlMs / 1000;
  if (seconds !== undefined && (seconds < 1 || !Number.isInteger(seconds))) {
    throw usage(
      `${say('leaseUnknownTtl', `${seconds}s`)} is not possible`,
      'etcd counts TTLs in whole seconds, from 1s on.',
    );
  }
  return {
    bumpRevision,
    safeBump,
    leases,
    dropAlarms: clearAlarms,
    ...(seconds === undefined ? {} : { leaseUnknownTtlSeconds: seconds }),
  };
}

function usage(message: string, remedy: string): EtcdOpsError {
  return new EtcdOpsError('USAGE', { message, remedy });
}
