import { readFileSync } from 'node:fs';
import { lchown, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { EtcdOpsError } from '@etcd-ops/core';

export interface Owner {
  uid: number;
  gid: number;
}

/** Where names are looked up; tests have their own. */
export interface AccountFiles {
  passwd: string;
  group: string;
}

const ACCOUNT_FILES: AccountFiles = { passwd: '/etc/passwd', group: '/etc/group' };

/**
 * `etcd:etcd`, `etcd` (with its own group) or `998:996`.
 * @throws EtcdOpsError USAGE for a name that this host does not know, or when this process may not give files away.
 */
export function parseOwner(text: string, files: AccountFiles = ACCOUNT_FILES): Owner {
  const [user = '', group, ...rest] = text.split(':');
  if (user === '' || rest.length > 0) throw usage(`--owner ${text} is not user or user:group`);
  const account = lookUp(files.passwd, user);
  if (account === undefined && !isNumber(user)) throw usage(`--owner: this host knows no user '${user}'`);
  const uid = account === undefined ? Number(user) : Number(account[2]);
  const gid = groupOf(group, account, files);
  if (gid === undefined) {
    throw usage(
      group === undefined || group === ''
        ? `--owner ${text}: the user ${user} has no group here`
        : `--owner: this host knows no group '${group}'`,
    );
  }
  requireRights({ uid, gid }, text);
  return { uid, gid };
}

/** Gives a directory with all that is in it to somebody. Links are given, not followed. */
export async function giveTo(owner: Owner, path: string): Promise<void> {
  try {
    await giveTree(owner, path);
  } catch (error) {
    throw new EtcdOpsError('DISK_FAILED', {
      message: `${path} is restored, but could not be given to ${owner.uid}:${owner.gid}`,
      remedy: `Run: chown -R ${owner.uid}:${owner.gid} ${path}`,
      cause: error,
    });
  }
}

async function giveTree({ uid, gid }: Owner, path: string): Promise<void> {
  const entries = await readdir(path, { withFileTypes: true });
  for (const entry of entries) {
    const inside = join(path, entry.name);
    if (entry.isDirectory()) await giveTree({ uid, gid }, inside);
    else await lchown(inside, uid, gid);
  }
  await lchown(path, uid, gid);
}

function groupOf(group: string | undefined, account: string[] | undefined, files: AccountFiles): number | undefined {
  if (group === undefined || group === '') return account === undefined ? undefined : Number(account[3]);
  const found = lookUp(files.group, group);
  if (found !== undefined) return Number(found[2]);
  return isNumber(group) ? Number(group) : undefined;
}

/** A line of passwd(5) or group(5) by its first field. */
function lookUp(path: string, name: string): string[] | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
  return text
    .split('\n')
    .map((line) => line.split(':'))
    .find(([first]) => first === name);
}

function isNumber(text: string): boolean {
  return /^\d{1,10}$/.test(text) && Number(text) <= 0xffff_fffe;
}

function requireRights({ uid, gid }: Owner, text: string): void {
  const [ownUid, ownGid] = [process.geteuid?.(), process.getegid?.()];
  if (ownUid === 0 || (ownUid === uid && ownGid === gid)) return;
  throw new EtcdOpsError('USAGE', {
    message: `--owner ${text}: only root can give files to another user, and this process runs as ${ownUid}:${ownGid}`,
    remedy: `Run it with sudo, or leave --owner away and run afterwards: sudo chown -R ${uid}:${gid} <data-dir>`,
  });
}

function usage(message: string): EtcdOpsError {
  return new EtcdOpsError('USAGE', { message, remedy: 'Give names that this host knows, or numbers: --owner 998:996' });
}
