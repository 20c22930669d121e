import { startNats, type TestNats } from '@etcd-ops/test-kit';
import { connectBus, type Bus } from '../connection.ts';
import { renderAccounts } from '../rights/render-config.ts';
import { inboxPrefix } from '../rights/roles.ts';

const password = (role: string): string => `password-of-${role}`;

/** A server with the accounts and rights of deploy/nats. */
export function startTwoAccounts(version: string): Promise<TestNats> {
  return startNats({
    version,
    config: renderAccounts({ credentialOf: ({ name }) => ({ password: JSON.stringify(password(name)) }) }),
    access: { user: 'operator', pass: password('operator') },
  });
}

/** Connects as one of the roles. */
export function connectAs(server: { url: string }, role: string): Promise<Bus> {
  return connectBus({
    url: server.url,
    name: role,
    user: role,
    pass: password(role),
    inboxPrefix: inboxPrefix(role),
    requestTimeoutMs: 2_000,
  });
}

/** What the server refused a connection, as `publish etcdops.restore`; filled as refusals arrive. */
export function refusalsOf(bus: Bus): string[] {
  const refused: string[] = [];
  void (async () => {
    for await (const status of bus.nc.status()) {
      const { permissionContext: context } = status as { permissionContext?: { operation: string; subject: string } };
      if (context !== undefined) refused.push(`${context.operation} ${context.subject}`);
    }
  })();
  return refused;
}
