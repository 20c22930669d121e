import type { EtcdAccess, EtcdAuth } from '../access.ts';

/** Which of a cluster's two credentials a call is made with. */
export type CredentialName = 'capture' | 'maintenance';

/** etcd answers these to the role `root` alone, or does so on some versions (Status: 3.5.30 and newer). Source: server/etcdserver/api/v3rpc. */
const MAINTENANCE_CALLS: ReadonlySet<string> = new Set([
  'Snapshot',
  'HashKV',
  'Defragment',
  'Status',
  'MoveLeader',
  'AuthStatus',
]);
/** Any user that is logged in may make these. */
const OPEN_CALLS: ReadonlySet<string> = new Set(['MemberList', 'Alarm', 'LeaseTimeToLive']);

export function credentialFor(call: string): CredentialName {
  return MAINTENANCE_CALLS.has(call) ? 'maintenance' : 'capture';
}

/** What a person has to grant for the call. */
export function rightNeeded(call: string): string {
  if (MAINTENANCE_CALLS.has(call)) return 'the role root';
  return OPEN_CALLS.has(call) ? 'a login' : 'read on the whole key space';
}

/** The credentials to make the call with, in order: the second is for hosts that do not have the first one's password. */
export function credentialsOf(access: EtcdAccess, name: CredentialName): EtcdAuth[] {
  const { auth, maintenanceAuth } = access;
  const ordered = name === 'maintenance' ? [maintenanceAuth, auth] : [auth, maintenanceAuth];
  return ordered.filter((credential) => credential !== undefined);
}
