import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EtcdOpsError } from '@etcd-ops/core';
import { askHidden, type Conversation } from '../output/ask-hidden.ts';

const OWNER_ONLY = 0o600;

interface PasswordOptions {
  /** Also `name:password`, as etcdctl's --user has it. */
  etcdUsername?: string;
  etcdPassword?: string;
  etcdPasswordFile?: string;
}

export interface PasswordFile extends AsyncDisposable {
  /** To be laid over the options that were given. */
  readonly options: { etcdUsername?: string; etcdPasswordFile?: string };
}

/**
 * A password given in clear, as a file that only the owner can read and that ends with the scope: specs, messages and logs name files, never secrets.
 * A user without any is asked for it on a terminal.
 *
 * @throws EtcdOpsError USAGE when two are given.
 */
export async function passwordFileOf(
  options: PasswordOptions,
  terminal: Conversation = { input: process.stdin, output: process.stderr },
): Promise<PasswordFile> {
  const { etcdPassword, etcdPasswordFile } = options;
  if (etcdPassword !== undefined && etcdPasswordFile !== undefined) {
    throw new EtcdOpsError('USAGE', {
      message: 'Both --etcd-password and --etcd-password-file are given',
      remedy: 'Leave --etcd-password away: a file keeps the password out of the process list.',
    });
  }
  if (etcdPasswordFile !== undefined) return nothing({});
  const { name, password = etcdPassword } = splitUser(options);
  if (name === undefined) return nothing({});
  const given = password ?? (await askHidden(`Password of the etcd user ${name}: `, terminal));
  if (given === undefined) return nothing({});
  const directory = await mkdtemp(join(tmpdir(), 'etcd-ops-secret-'));
  const path = join(directory, 'password');
  await writeFile(path, given, { mode: OWNER_ONLY });
  return {
    options: { etcdUsername: name, etcdPasswordFile: path },
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}

/** Only where no password stands elsewhere: else the colon belongs to the name. */
function splitUser({ etcdUsername, etcdPassword }: PasswordOptions): { name?: string; password?: string } {
  if (etcdUsername === undefined) return {};
  const colon = etcdPassword === undefined ? etcdUsername.indexOf(':') : -1;
  if (colon < 0) return { name: etcdUsername };
  return { name: etcdUsername.slice(0, colon), password: etcdUsername.slice(colon + 1) };
}

function nothing(options: PasswordFile['options']): PasswordFile {
  return { options, [Symbol.asyncDispose]: async () => undefined };
}
