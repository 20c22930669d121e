import { readFile } from 'node:fs/promises';
import { EtcdOpsError } from '@etcd-ops/core';
import type { EtcdAuth } from '../access.ts';

/** @throws EtcdOpsError CONFIG_INVALID when neither a password nor its file is given, ETCD_AUTH when the file cannot be read. */
export async function readPassword(auth: EtcdAuth): Promise<string> {
  if (auth.password !== undefined) return auth.password;
  if (auth.passwordFile === undefined) {
    throw new EtcdOpsError('CONFIG_INVALID', {
      message: `The etcd user ${auth.username} has neither password nor password file`,
    });
  }
  try {
    return (await readFile(auth.passwordFile, 'utf8')).replace(/\r?\n$/, '');
  } catch (error) {
    throw new EtcdOpsError('ETCD_AUTH', {
      message: `The password file ${auth.passwordFile} cannot be read`,
      remedy: 'Check the path and its rights.',
      cause: error,
    });
  }
}
