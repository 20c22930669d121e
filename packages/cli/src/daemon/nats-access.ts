import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { EtcdOpsError } from '@etcd-ops/core';
import type { NatsAccess } from './start-daemon.ts';

export interface NatsOptions {
  nats?: string[];
  natsTokenFile?: string;
  natsUser?: string;
  natsPasswordFile?: string;
  natsNkey?: string;
  natsCreds?: string;
  natsCacert?: string;
  natsCert?: string;
  natsKey?: string;
}

/** An existing NATS, when one is named; undefined for a private one. @throws EtcdOpsError CONFIG_INVALID. */
export async function natsAccess(options: NatsOptions): Promise<NatsAccess | undefined> {
  const { nats, natsTokenFile, natsUser, natsPasswordFile, natsNkey, natsCreds } = options;
  const { natsCacert, natsCert, natsKey } = options;
  const secrets = [natsTokenFile, natsUser, natsPasswordFile, natsNkey, natsCreds];
  const given = [...secrets, natsCacert, natsCert, natsKey].some((value) => value !== undefined);
  if (nats === undefined || nats.length === 0) {
    if (!given) return undefined;
    throw new EtcdOpsError('CONFIG_INVALID', {
      message: 'There are credentials for NATS, but --nats names no server',
      remedy: 'Add --nats nats://host:4222, or leave the credentials away: the private server needs none.',
    });
  }
  const tls = {
    ...(natsCacert === undefined ? {} : { caFile: resolve(natsCacert) }),
    ...(natsCert === undefined ? {} : { certFile: resolve(natsCert) }),
    ...(natsKey === undefined ? {} : { keyFile: resolve(natsKey) }),
  };
  return {
    url: nats,
    ...(natsTokenFile === undefined ? {} : { token: await readSecret('token', natsTokenFile) }),
    ...(natsUser === undefined ? {} : { user: natsUser }),
    ...(natsPasswordFile === undefined ? {} : { pass: await readSecret('password', natsPasswordFile) }),
    ...(natsNkey === undefined ? {} : { nkeyFile: resolve(natsNkey) }),
    ...(natsCreds === undefined ? {} : { credsFile: resolve(natsCreds) }),
    ...(Object.keys(tls).length === 0 ? {} : { tls }),
  };
}

async function readSecret(what: string, path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    throw new EtcdOpsError('CONFIG_INVALID', {
      message: `The file of the NATS ${what}, ${path}, cannot be read`,
      cause: error,
    });
  }
}
