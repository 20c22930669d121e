import { resolve } from 'node:path';
import type { ClusterSpecInput } from '@etcd-ops/bus';
import { EtcdOpsError } from '@etcd-ops/core';
import type { EtcdOptions } from './etcd-options.ts';

type EtcdSpec = Pick<ClusterSpecInput, 'endpoints' | 'tls' | 'auth' | 'maintenanceAuth'>;

/** Not every command that talks to etcd has all of the flags. */
type EtcdReach = Partial<EtcdOptions>;

/** How a living etcd is reached, as a spec says it. @throws EtcdOpsError USAGE, CONFIG_INVALID. */
export function etcdSpecOf(options: EtcdReach): EtcdSpec {
  return { endpoints: endpointsOf(options), ...tlsOf(options), ...authOf(options) };
}

/** `--insecure-transport false` as etcdctl has it: nothing goes over the wire in plain text. */
function endpointsOf({ endpoints = ['127.0.0.1:2379'], insecureTransport }: EtcdReach): string[] {
  if (insecureTransport !== false) return endpoints;
  const plain = endpoints.filter((endpoint) => endpoint.startsWith('http://'));
  if (plain.length > 0) {
    throw new EtcdOpsError('USAGE', {
      message: `${plain.join(', ')} is plain text, which --insecure-transport false forbids`,
      remedy: 'Write https://, or leave --insecure-transport false away.',
    });
  }
  return endpoints.map((endpoint) => (endpoint.includes('://') ? endpoint : `https://${endpoint}`));
}

function tlsOf(options: EtcdReach): Pick<EtcdSpec, 'tls'> {
  const tls = {
    ...(options.cacert === undefined ? {} : { caFile: resolve(options.cacert) }),
    ...(options.cert === undefined ? {} : { certFile: resolve(options.cert) }),
    ...(options.key === undefined ? {} : { keyFile: resolve(options.key) }),
    ...(options.insecureSkipTlsVerify === true ? { insecureSkipVerify: true } : {}),
  };
  return Object.keys(tls).length === 0 ? {} : { tls };
}

/** One user for everything, or one that reads for the capture and one with the role root for the rest. */
function authOf(options: EtcdReach): Pick<EtcdSpec, 'auth' | 'maintenanceAuth'> {
  const auth = credential(options.etcdUsername, options.etcdPasswordFile, '--etcd-password-file');
  const maintenanceAuth = credential(
    options.maintenanceUsername,
    options.maintenancePasswordFile,
    '--maintenance-password-file',
  );
  return { ...(auth === undefined ? {} : { auth }), ...(maintenanceAuth === undefined ? {} : { maintenanceAuth }) };
}

function credential(
  username: string | undefined,
  passwordFile: string | undefined,
  flag: string,
): { username: string; passwordFile: string } | undefined {
  if (username === undefined) return undefined;
  if (passwordFile !== undefined) return { username, passwordFile: resolve(passwordFile) };
  throw new EtcdOpsError('CONFIG_INVALID', {
    message: `The user ${username} has no password`,
    remedy: `Give ${flag}; a password on the command line would be visible to everybody on the host.`,
  });
}
