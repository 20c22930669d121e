import { rmSync, writeFileSync } from 'node:fs';
import {
  createNatsOperator,
  eventually,
  findBinary,
  missingBinary,
  NATS_VERSIONS,
  startNats,
  tempDir,
} from '@etcd-ops/test-kit';
import { describe, expect, test } from 'vitest';
import { connectBus, type BusStatus } from './connection.ts';
import { createUserKey } from './rights/user-key.ts';
import { ensureTopology } from './topology.ts';

const USER = { name: 'operator', account: 'CORE', publish: ['>'], subscribe: ['>'] };
const WAIT = { timeoutMs: 30_000 };

describe.each(NATS_VERSIONS)('nats-server %s with an operator and JWTs', (version) => {
  test('a file of credentials is enough, and the next one follows when it has run out', async (context) => {
    if (findBinary('nats-server', version) === undefined) context.skip(missingBinary('nats-server', version));
    await using dir = tempDir();
    const operator = createNatsOperator({ accounts: ['CORE'] });
    const credsFile = dir.file('operator.creds');
    const credentials = operator.credentials(USER);
    writeFileSync(credsFile, credentials);
    await using nats = await startNats({ version, config: operator.config, access: { creds: credentials } });
    await using lasting = await connectBus({ url: nats.url, name: 'lasting', credsFile });
    await ensureTopology(lasting);

    writeFileSync(credsFile, operator.credentials(USER, { expiresInSeconds: 4 }));
    await using bus = await connectBus({ url: nats.url, name: 'expiring', credsFile });
    const seen: BusStatus[] = [];
    bus.onStatus((status) => seen.push(status));
    // It runs out, and is refused as long as there is no other: several times, and the connection is not given up.
    await eventually(() => seen.filter(({ type }) => type === 'error').length >= 4, WAIT);
    expect(bus.connected).toBe(false);
    rmSync(credsFile);
    writeFileSync(credsFile, credentials);
    await bus.whenConnected(AbortSignal.timeout(30_000));
    await ensureTopology(bus);
    expect(JSON.stringify(seen)).not.toContain(/SU[A-Z0-9]{56}/.exec(credentials)![0]);
  });
});

test('what is wrong with a file of credentials is told with its name, and without what it holds', async () => {
  await using dir = tempDir();
  const path = dir.file('x.creds');
  const connect = (options: object): Promise<unknown> =>
    connectBus({ url: 'nats://127.0.0.1:1', name: 'x', ...options });
  await expect(connect({ credsFile: path })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: `The file of NATS credentials ${path} cannot be read`,
  });
  const { seed } = createUserKey();
  writeFileSync(path, `${seed.slice(0, -3)}AAA`);
  for (const options of [{ credsFile: path }, { nkeyFile: path }]) {
    const refused = expect.objectContaining({ message: `The file of NATS credentials ${path} holds none` });
    await expect(connect(options)).rejects.toEqual(refused);
    await expect(connect(options)).rejects.not.toMatchObject({ cause: expect.anything() });
  }
});
