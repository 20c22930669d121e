import { EtcdOpsError, isEtcdOpsError } from '@etcd-ops/core';
import type { EtcdMember } from './etcd-member.ts';
import type { CallOptions } from './grpc/connection.ts';
import type { CredentialName } from './grpc/call-rights.ts';

/** Calls that the credential lacks the right to, and one sentence about it. */
export interface MissingRight {
  credential: CredentialName;
  calls: readonly string[];
  error: EtcdOpsError;
}

interface Trial {
  credential: CredentialName;
  calls: readonly string[];
  /** What cannot be done without them. */
  purpose: string;
  attempt: (member: EtcdMember, options: CallOptions) => Promise<unknown>;
}

/**
 * One cheap call for each right. LeaseLeases is not tried: it locks the lessor, and wants no more than the watch does (read on the
 * leased keys, 3.5.30). A lease of id 1 need not exist.
 */
const TRIALS: readonly Trial[] = [
  {
    credential: 'capture',
    calls: ['Range'],
    purpose: 'nothing can be captured',
    attempt: (member, options) => member.linearizableRead(options),
  },
  {
    credential: 'capture',
    calls: ['Watch'],
    purpose: 'nothing can be captured',
    attempt: (member, options) => tryWatch(member, options),
  },
  {
    credential: 'capture',
    calls: ['LeaseTimeToLive'],
    purpose: 'the TTLs of leases stay unknown between full snapshots',
    attempt: (member, options) => member.leaseTimeToLive(1n, options),
  },
  {
    credential: 'maintenance',
    calls: ['Snapshot', 'HashKV', 'Defragment'],
    purpose: 'no full snapshot can be taken, and no member can be defragmented',
    attempt: (member, options) => member.tryMaintenanceRight(options),
  },
  {
    credential: 'maintenance',
    calls: ['Status'],
    purpose: 'no member can be chosen for a full snapshot',
    attempt: (member, options) => member.status(options),
  },
  {
    credential: 'maintenance',
    calls: ['AuthStatus'],
    purpose: 'a change of users and roles is in the backup only with the next full snapshot',
    attempt: (member, options) => member.authStatus(options),
  },
];

/** Tries each right once and answers which are missing. @throws EtcdOpsError of failures that are not about rights. */
export async function checkRights(member: EtcdMember, options: CallOptions = {}): Promise<MissingRight[]> {
  const missing: MissingRight[] = [];
  for (const { credential, calls, purpose, attempt } of TRIALS) {
    try {
      await attempt(member, options);
    } catch (error) {
      if (!isEtcdOpsError(error, 'ETCD_AUTH')) throw error;
      const { message, remedy } = error;
      const sentence = `The ${credential} credential cannot make the call ${calls.join(', ')}, so ${purpose}: ${message}`;
      missing.push({
        credential,
        calls,
        error: new EtcdOpsError('ETCD_AUTH', { message: sentence, remedy, facts: error.facts, cause: error }),
      });
    }
  }
  return missing;
}

/** Only the watch itself tells whether it may see the whole key space: one that starts beyond every revision costs nothing. */
async function tryWatch(member: EtcdMember, { signal }: CallOptions): Promise<void> {
  let created = false;
  const watch = member.watch({
    startRevision: Number.MAX_SAFE_INTEGER,
    signal,
    sink: {
      created: () => {
        created = true;
        // Not within its own callback: the watch is still at work with the response.
        queueMicrotask(() => watch.cancel());
      },
      row: () => {},
      batch: () => {},
      progress: () => {},
    },
  });
  const end = await watch.closed;
  if (end.kind === 'error') throw end.error;
  if (created) return;
  if (end.kind === 'canceled') {
    throw new EtcdOpsError('ETCD_FAILED', { message: `The watch was refused: ${end.reason}` });
  }
  throw new EtcdOpsError('CANCELLED', { message: `The check of rights at ${member.endpoint} was cancelled` });
}
