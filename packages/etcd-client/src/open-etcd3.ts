import { readFileSync } from 'node:fs';
import type { Etcd3, IOptions } from 'etcd3';
import { parseEndpoint, type EtcdAccess } from './access.ts';
import { readPassword } from './grpc/login.ts';

/**
 * The `etcd3` client for ordinary use of a cluster: keys, transactions, leases. Its owner closes it.
 * What is hot or concerns one member goes through EtcdMember.
 */
export async function openEtcd3(access: EtcdAccess): Promise<Etcd3> {
  const { tls, auth, maintenanceAuth } = access;
  const user = auth ?? maintenanceAuth;
  const addresses = access.endpoints.map((endpoint) => parseEndpoint(endpoint, tls));
  const options: IOptions = {
    hosts: addresses.map(({ secure, target }) => `${secure ? 'https' : 'http'}://${target}`),
    ...(user !== undefined && { auth: { username: user.username, password: await readPassword(user) } }),
  };
  if (tls?.caFile !== undefined) {
    options.credentials = {
      rootCertificate: readFileSync(tls.caFile),
      ...(tls.keyFile !== undefined && { privateKey: readFileSync(tls.keyFile) }),
      ...(tls.certFile !== undefined && { certChain: readFileSync(tls.certFile) }),
    };
  }
  // It takes long to load, and few commands need it.
  const client = await import('etcd3');
  return new client.Etcd3(options);
}
