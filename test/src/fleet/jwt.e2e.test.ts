import { writeFileSync } from 'node:fs';
import {
  callApi,
  connectBus,
  inboxPrefix,
  ROLES,
  SHOWN_IN_CORE,
  SHOWN_IN_OPS,
  statusAnswerSchema,
} from '@etcd-ops/bus';
import { createNatsOperator, eventually, findBinary, missingBinary, startNats, tempDir } from '@etcd-ops/test-kit';
import { expect, test } from 'vitest';
import { runEtcdOps } from '../run-etcd-ops.ts';
import { startService } from './run-services.ts';

const SERVICES = ['scheduler', 'watcher', 'uploader', 'garbage-collector', 'maintainer', 'restorer'];
const VERSION = '2.10';

test('commands and services take files of credentials, with the rights of deploy/nats in their JWTs', async (context) => {
  if (findBinary('nats-server', VERSION) === undefined) return context.skip(missingBinary('nats-server', VERSION));
  await using scratch = tempDir();
  const shown = [
    { from: 'CORE', to: 'OPS', subjects: SHOWN_IN_OPS },
    { from: 'OPS', to: 'CORE', subjects: SHOWN_IN_CORE },
  ];
  const operator = createNatsOperator({ accounts: ['CORE', 'OPS'], shown });
  const credentials = new Map(ROLES.map((role) => [role.name, operator.credentials(role)]));
  const file = (role: string): string => scratch.file(`${role}.creds`);
  for (const [role, text] of credentials) writeFileSync(file(role), text, { mode: 0o600 });
  const access = { creds: credentials.get('operator')! };
  // The rights of a watcher or uploader in a JWT are more than the 4 KiB that the first line of a client may have (deploy/nats/README.md).
  const control = 'max_control_line: 16KB';
  await using nats = await startNats({ version: VERSION, config: `${operator.config}\n${control}`, access });
  const config = scratch.file('clusters.yaml');
  const store = { provider: 'Local', bucket: scratch.file('backups') };
  writeFileSync(
    config,
    JSON.stringify({ defaults: { store }, clusters: [{ name: 'prod', endpoints: ['127.0.0.1:1'] }] }),
  );
  const users = ['--nats', nats.url, '--nats-creds', file('operator')];
  const applied = await runEtcdOps('apply', '--config', config, ...users, '--nats-ops-creds', file('operator-ops'));
  expect(applied.exitCode, applied.stderr).toBe(0);
  const listed = await runEtcdOps('cluster', 'list', ...users, '-o', 'json');
  expect(JSON.parse(listed.stdout)).toMatchObject({ clusters: [{ name: 'prod' }] });

  await using services = new AsyncDisposableStack();
  const running = SERVICES.map((name) =>
    services.use(
      startService(name, {
        ETCD_OPS_NATS_URL: nats.url,
        ETCD_OPS_NATS_CREDS_FILE: file(name),
        ...(name === 'restorer' ? { ETCD_OPS_NATS_OPS_CREDS_FILE: file('restorer-ops') } : {}),
        ETCD_OPS_STATE_DIR: scratch.file(`state-${name}`),
        ETCD_OPS_SPOOL_DIR: scratch.file(`spool-${name}`),
      }),
    ),
  );
  const isUp = (): boolean => running.every((service) => service.log().includes('Service started'));
  await eventually(isUp, { timeoutMs: 90_000 }).catch((error: unknown) => {
    const logs = running.map((service) => `== ${service.name}\n${service.log().slice(-2_000)}`);
    throw new Error([...logs, nats.log().slice(-2_000)].join('\n'), { cause: error });
  });
  const credsFile = file('observer-ops');
  const identity = { credsFile, inboxPrefix: inboxPrefix('observer-ops') };
  await using people = await connectBus({ url: nats.url, name: 'observer-ops', ...identity });
  const status = () => callApi(people, 'status', {}, { answer: statusAnswerSchema });
  await eventually(async () => (await status()).clusters[0]?.owner !== undefined, { timeoutMs: 60_000 });
  for (const service of running.toReversed()) expect(await service.stop(), service.log()).toBe(0);
  expect(nats.log().match(/.*Violation.*/g) ?? []).toEqual([]);
  const seeds = [...credentials.values()].map((text) => /SU[A-Z0-9]{56}/.exec(text)![0]);
  for (const service of running) for (const seed of seeds) expect(service.log()).not.toContain(seed);
});
