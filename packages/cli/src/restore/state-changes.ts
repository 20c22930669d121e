import { EtcdOpsError, type RestoreOptions as CoreRestoreOptions } from '@etcd-ops/core';
import type { ChangeOptions } from '../options/moment-options.ts';

/** The flags of `restore` that change the restored state, as the core takes them. */
export type StateChanges = Pick<
  CoreRestoreOptions,
  'bumpRevision' | 'leases' | 'leaseUnknownTtlSeconds' | 'dropAlarms'
> & { safeBump: boolean };

/** @throws EtcdOpsError USAGE for flags that contradict each other. */
export function stateChangesOf(options: ChangeOptions): StateChanges {
  const { leases, leaseUnknownTtl, safeBump } = options;
  // 0 is none, as for etcdutl.
  const bumpRevision = options.bumpRevision === 0 ? undefined : options.bumpRevision;
  // etcdutl asks for both, too: a bump alone would leave watchers in a history that was not theirs.
  if (bumpRevision !== undefined && !options.markCompacted) {
    throw usage(
      '--bump-revision needs --mark-compacted',
      `Write --bump-revision ${bumpRevision} --mark-compacted, or let --safe-bump choose.`,
    );
  }
  if (options.markCompacted && bumpRevision === undefined && !safeBump) {
    throw usage(
      '--mark-compacted says nothing without a raised revision',
      'Add --bump-revision <revisions>, or let --safe-bump choose it.',
    );
  }
  if (leases === 'drop' && leaseUnknownTtl !== undefined) {
    throw usage('--leases drop and --lease-unknown-ttl contradict each other', 'Leave one of them away.');
  }
  const seconds = leaseUnknownTtl === undefined ? undefined : leaseUnknownTtl / 1000;
  if (seconds !== undefined && (seconds < 1 || !Number.isInteger(seconds))) {
    throw usage(`--lease-unknown-ttl ${seconds}s is not possible`, 'etcd counts TTLs in whole seconds, from 1s on.');
  }
  return {
    bumpRevision,
    safeBump,
    leases,
    dropAlarms: options.clearAlarms,
    ...(seconds === undefined ? {} : { leaseUnknownTtlSeconds: seconds }),
  };
}

function usage(message: string, remedy: string): EtcdOpsError {
  return new EtcdOpsError('USAGE', { message, remedy });
}
