import { renderAccounts, renderServer, ROLES, type Role } from '@etcd-ops/bus';

/** `garbage-collector` -> `ETCD_OPS_NATS_PASSWORD_GARBAGE_COLLECTOR`. */
function variable(what: string, { name }: Role): string {
  return `ETCD_OPS_NATS_${what}_${name.replaceAll('-', '_').toUpperCase()}`;
}

const MADE = 'Made by packages/cli/src/docs/write-docs.ts; the rights are in packages/bus/src/rights/roles.ts.';
const NODES = ['n1', 'n2', 'n3'];
const TLS = {
  caFile: '/etc/nats/tls/ca.pem',
  certFile: '/etc/nats/tls/server.pem',
  keyFile: '/etc/nats/tls/server.key',
};

/** What deploy/nats holds, by file name: configurations without a secret in them. */
export function natsFiles(): Record<string, string> {
  const server = { listen: '0.0.0.0:4222', monitorListen: '0.0.0.0:8222', storeDir: '/data' };
  return {
    'accounts-password.conf': renderAccounts({
      credentialOf: (role) => ({ password: `$${variable('PASSWORD', role)}` }),
      comment: [MADE, 'Passwords come from the environment of nats-server.'],
    }),
    'accounts-nkey.conf': renderAccounts({
      credentialOf: (role) => ({ nkey: `$${variable('NKEY', role)}` }),
      comment: [MADE, 'Public keys come from the environment of nats-server.'],
    }),
    'nats-server.conf': renderServer({ name: 'nats', ...server, accountsFile: 'accounts-password.conf' }),
    ...Object.fromEntries(
      NODES.map((name) => [
        `${name}.conf`,
        renderServer({
          name,
          ...server,
          accountsFile: 'accounts-nkey.conf',
          tls: TLS,
          cluster: {
            listen: '0.0.0.0:6222',
            routes: NODES.filter((other) => other !== name).map((other) => `tls://${other}:6222`),
            tls: TLS,
          },
        }),
      ]),
    ),
    'roles.env.example': [
      '# For nats-server, which reads these as values of its configuration: the inner quotes belong there.',
      ...ROLES.map((role) => `${variable('PASSWORD', role)}='"change-me"'`),
      '',
    ].join('\n'),
  };
}
