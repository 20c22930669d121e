import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { readConnectionFile } from '@etcd-ops/bus';
import { EtcdOpsError } from '@etcd-ops/core';

/** The private NATS of a running daemon. @throws EtcdOpsError BUS_UNREACHABLE when none runs there, or it is another user's. */
export async function localDaemon(stateDir: string): Promise<{ url: string; token: string }> {
  const connection = await readConnectionFile(stateDir);
  if (connection !== undefined) return { url: connection.url, token: connection.token };
  if (await isForbidden(join(stateDir, 'nats.json'))) {
    throw new EtcdOpsError('BUS_UNREACHABLE', {
      message: `The state directory ${stateDir} belongs to another user, so its daemon cannot be asked`,
      remedy: 'Ask as the user who runs `etcd-ops snapshot`.',
    });
  }
  throw new EtcdOpsError('BUS_UNREACHABLE', {
    message: `No daemon runs on the state directory ${stateDir}`,
    cause: new Error('No NATS server of an etcd-ops daemon lives there.'),
    facts: { path: stateDir },
    remedy: 'Start `etcd-ops snapshot`, or name its state directory with --state-dir.',
  });
}

async function isForbidden(path: string): Promise<boolean> {
  try {
    await access(path, constants.R_OK);
    return false;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EACCES';
  }
}
