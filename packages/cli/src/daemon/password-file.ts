import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EtcdOpsError } from '@etcd-ops/core';

const OWNER_ONLY = 0o600;

interface PasswordOptions {
  etcdUsername?: string;
  etcdPassword?: string;
  etcdPasswordFile?: string;
}

export interface PasswordFile extends AsyncDisposable {
  /** To be laid over the options that were given. */
  readonly options: { etcdPasswordFile?: string };
}

/**
 * A password given in clear, as a file that only the owner can read and that ends with the scope: specs, messages and logs name files, never secrets.
 *
 * @throws EtcdOpsError USAGE when both are given.
 */
export async function passwordFileOf(options: PasswordOptions): Promise<PasswordFile> {
  const { etcdPassword, etcdPasswordFile } = options;
  if (etcdPassword === undefined) return { options: {}, [Symbol.asyncDispose]: async () => undefined };
  if (etcdPasswordFile !== undefined) {
    throw new EtcdOpsError('USAGE', {
      message: 'Both --etcd-password and --etcd-password-file are given',
      remedy: 'Leave --etcd-password away: a file keeps the password out of the process list.',
    });
  }
  const directory = await mkdtemp(join(tmpdir(), 'etcd-ops-secret-'));
  const path = join(directory, 'password');
  await writeFile(path, etcdPassword, { mode: OWNER_ONLY });
  return {
    options: { etcdPasswordFile: path },
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}
