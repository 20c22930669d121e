import { EtcdOpsError } from '@etcd-ops/core';
import { access, constants, readdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { processEnv } from './process-env.ts';

const NAME = 'nats-server';
/** Where Debian's and other packages put it, though it is rarely on a user's PATH. */
const SYSTEM_DIRECTORIES = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/opt/homebrew/bin'];

/**
 * The program `nats-server`: `$ETCD_OPS_NATS_SERVER`, else below `$ETCD_OPS_TOOLS_DIR`, else on PATH.
 * @throws EtcdOpsError BINARY_MISSING
 */
export async function findNatsServer(env: NodeJS.ProcessEnv = processEnv()): Promise<string> {
  const named = env['ETCD_OPS_NATS_SERVER'];
  if (named !== undefined && named !== '') {
    if (await isExecutable(named)) return named;
    throw missing(`ETCD_OPS_NATS_SERVER names ${named}, which is no program`);
  }
  const path = (env['PATH'] ?? '').split(delimiter).filter((directory) => directory !== '');
  for (const directory of [...(await toolDirectories(env['ETCD_OPS_TOOLS_DIR'])), ...path, ...SYSTEM_DIRECTORIES]) {
    const candidate = join(directory, NAME);
    if (await isExecutable(candidate)) return candidate;
  }
  throw missing('There is no nats-server on PATH');
}

/** `<tools>/deb/<suite>/usr/sbin`; of several suites the later name, which is the newer Debian. */
async function toolDirectories(tools: string | undefined): Promise<string[]> {
  if (tools === undefined || tools === '') return [];
  const root = join(tools, 'deb');
  const suites = await readdir(root).catch(() => []);
  return suites.toSorted((left, right) => (left < right ? 1 : -1)).map((suite) => join(root, suite, 'usr', 'sbin'));
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function missing(message: string): EtcdOpsError {
  return new EtcdOpsError('BINARY_MISSING', {
    message,
    facts: { program: 'nats-server' },
    remedy:
      'Install nats-server 2.9 or newer (Debian: apt install nats-server), name it in ETCD_OPS_NATS_SERVER, or use a running one with --nats.',
  });
}
