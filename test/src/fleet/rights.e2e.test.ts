import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import {
  callApi,
  connectBus,
  inboxPrefix,
  jobAnswerSchema,
  progressSchema,
  restoreAnswerSchema,
  statusAnswerSchema,
  verifyAnswerSchema,
  type BusOptions,
} from '@etcd-ops/bus';
import { LocalStore, readInventory } from '@etcd-ops/core';
import {
  createAuthority,
  etcdVersions,
  eventually,
  findBinary,
  missingBinary,
  missingOpenssl,
  startEtcd,
  startNats,
  tempDir,
  type CertificateFiles,
} from '@etcd-ops/test-kit';
import { expect, test } from 'vitest';
import { missingPrometheus, startPrometheus } from '../observe/prometheus.ts';
import { prometheusSees } from '../observe/prometheus-sees.ts';
import { runEtcdOps } from '../run-etcd-ops.ts';
import { startService, type ServiceProcess } from './run-services.ts';

const SERVICES = ['scheduler', 'watcher', 'uploader', 'garbage-collector', 'maintainer', 'restorer'];
const WAIT = { timeoutMs: 60_000 };

/**
 * The whole fleet as processes of their own, each with the user that `nats-config` made for it: it captures, stores, collects and restores,
 * and nats-server has nothing to refuse.
 */
test.for([
  { nats: '2.9', auth: 'password', encrypted: false },
  { nats: '2.10', auth: 'nkey', encrypted: true },
] as const)('a fleet with least rights over nats-server $nats, $auth, TLS $encrypted', async (world, context) => {
  const reason =
    etcdVersions().length === 0
      ? missingBinary('etcd')
      : findBinary('nats-server', world.nats) === undefined
        ? missingBinary('nats-server', world.nats)
        : world.encrypted
          ? missingOpenssl()
          : undefined;
  if (reason !== undefined) return context.skip(reason);
  await using scratch = tempDir();
  const dir = scratch.file('nats');
  const made = await runEtcdOps('nats-config', '--dir', dir, '--auth', world.auth);
  expect(made.exitCode, made.stderr).toBe(0);
  const secretFile = (role: string): string => `${dir}/users/${role}/${world.auth === 'nkey' ? 'user.nk' : 'password'}`;
  const secret = (role: string): string => readFileSync(secretFile(role), 'utf8').trim();
  expect(statSync(secretFile('watcher')).mode & 0o777).toBe(0o600);

  const certificates = world.encrypted ? createAuthority(scratch.path, 'nats').issue('server') : undefined;
  const identity = (role: string): Pick<BusOptions, 'user' | 'pass' | 'nkeyFile' | 'tls'> => ({
    ...(world.auth === 'nkey' ? { nkeyFile: secretFile(role) } : { user: role, pass: secret(role) }),
    ...(certificates === undefined ? {} : { tls: { caFile: certificates.caFile } }),
  });
  await using nats = await startNats({
    version: world.nats,
    config: `${readFileSync(`${dir}/accounts.conf`, 'utf8')}\n${tlsConfig(certificates)}`,
    access: {
      ...(world.auth === 'nkey' ? { nkeySeed: secret('operator') } : { user: 'operator', pass: secret('operator') }),
      ...(certificates === undefined ? {} : { tls: { caFile: certificates.caFile } }),
    },
  });
  await using etcd = await startEtcd();
  await etcd.etcdctl('put', 'key', 'first');

  const bucket = scratch.file('backups');
  const root = scratch.file('restored');
  mkdirSync(root);
  const spec = {
    ...{ name: 'prod', endpoints: [etcd.endpoint], snapshots: { deltaPeriodMs: 500, schedule: '* * * * *' } },
    destinations: [{ name: 'far', store: { provider: 'Local', bucket: scratch.file('far') }, periodMs: 500 }],
  };
  const file = scratch.file('clusters.yaml');
  writeFileSync(file, JSON.stringify({ defaults: { store: { provider: 'Local', bucket } }, clusters: [spec] }));
  const flags = (prefix: string, role: string): string[] =>
    world.auth === 'nkey'
      ? [`--${prefix}-nkey`, secretFile(role)]
      : [`--${prefix}-user`, role, `--${prefix}-password-file`, secretFile(role)];
  const ca = certificates === undefined ? [] : ['--nats-cacert', certificates.caFile];
  const users = [...flags('nats', 'operator'), ...flags('nats-ops', 'operator-ops'), ...ca];
  const applied = await runEtcdOps('apply', '--config', file, '--nats', nats.url, ...users, '-o', 'json');
  expect(applied.exitCode, applied.stderr).toBe(0);
  expect(JSON.parse(applied.stdout)).toEqual({ added: ['prod'], changed: [], removed: [] });

  const told = scratch.file('told');
  const notifications = { command: ['/bin/sh', '-c', `cat >> '${told}'`], on: ['failure'], intervalMs: 100 };
  await using services = new AsyncDisposableStack();
  const running = SERVICES.map((name): ServiceProcess => {
    const environment = {
      ETCD_OPS_NATS_URL: nats.url,
      ...variables('NATS', name, world.auth, secretFile),
      ...(name === 'restorer' ? variables('NATS_OPS', 'restorer-ops', world.auth, secretFile) : {}),
      ...(certificates === undefined ? {} : { ETCD_OPS_NATS_CA_FILE: certificates.caFile }),
      ETCD_OPS_SCHEDULER_JITTER_MS_MAX: '0',
      ...(name === 'scheduler' ? { ETCD_OPS_SCHEDULER_NOTIFICATIONS: JSON.stringify(notifications) } : {}),
      ETCD_OPS_RESTORE_ROOTS: root,
      ETCD_OPS_STATE_DIR: scratch.file(`state-${name}`),
      ETCD_OPS_SPOOL_DIR: scratch.file(`spool-${name}`),
    };
    return services.use(startService(name, environment));
  });
  const logs = (): string => running.map((service) => `== ${service.name}\n${service.log()}`).join('\n');

  const violations = (): string[] => nats.log().match(/.*Violation.*/g) ?? [];

  const store = new LocalStore(bucket);
  const stored = async () => (await readInventory(store, 'prod')).timelines[0];
  await eventually(async () => ((await stored())?.fulls.length ?? 0) > 0, WAIT).catch((error: unknown) => {
    throw new Error(`${violations().join('\n')}\n${logs().slice(-4_000)}`, { cause: error });
  });
  await etcd.etcdctl('put', 'key', 'second');
  await eventually(async () => (await stored())?.deltas.at(-1)?.last === 3, WAIT);
  const far = new LocalStore(scratch.file('far'));
  await eventually(
    async () => (await readInventory(far, 'prod')).timelines[0]?.deltas.some(({ last }) => last === 3) === true,
    WAIT,
  );

  await using operator = await connectBus({
    url: nats.url,
    name: 'operator-ops',
    inboxPrefix: inboxPrefix('operator-ops'),
    ...identity('operator-ops'),
  });
  const last = async () => {
    const { clusters } = await callApi(operator, 'status', {}, { answer: statusAnswerSchema });
    return clusters[0]?.last ?? {};
  };
  // It follows the full; waited for once is enough.
  if (!world.encrypted) await eventually(async () => (await last())['gc']?.ok === true, WAIT);

  const kinds = new Set<string>();
  const done: string[] = [];
  operator.nc.subscribe('etcdops.progress.>', {
    callback: (_, message) => kinds.add(progressSchema.parse(message.json()).kind),
  });
  operator.nc.subscribe('etcdops.done.restore.*', { callback: (_, message) => done.push(message.string()) });
  const request = { cluster: 'prod', revision: 3, dataDir: `${root}/m1` };
  const { id } = await callApi(operator, 'restore', request, { answer: restoreAnswerSchema });
  await eventually(() => done.some((line) => line.includes(id)), WAIT);
  expect(done.map((line) => JSON.parse(line) as object)).toMatchObject([{ ok: true, taskId: id }]);
  expect(existsSync(`${root}/m1/member/snap/db`)).toBe(true);

  // What became of things is known in the account where people ask.
  const stateOf = async (job: string) =>
    (await callApi(operator, 'job', { id: job }, { answer: jobAnswerSchema })).state;
  expect(await stateOf(id)).toBe('done');
  const proof = await callApi(operator, 'verify', { cluster: 'prod', depth: 'prove' }, { answer: verifyAnswerSchema });
  await eventually(async () => (await stateOf(proof.id)) === 'done', WAIT);
  expect(kinds).toContain('restore');

  if (!world.encrypted) {
    const missing = missingPrometheus();
    if (missing !== undefined) await context.annotate(`not looked at by Prometheus: ${missing}`);
    else await lookedAtByPrometheus(await Promise.all(running.map((service) => service.httpAddress())));
  }

  // The scheduler, which may not look into that account, is shown what people have to be told.
  const bad = { cluster: 'prod', revision: 3, dataDir: `${root}/m1` };
  const failed = await callApi(operator, 'restore', bad, { answer: restoreAnswerSchema });
  await eventually(() => existsSync(told) && readFileSync(told, 'utf8').includes(failed.id), WAIT);

  // Whoever stops flushes and releases, which needs rights as well.
  for (const service of running.toReversed()) expect(await service.stop(), service.log()).toBe(0);
  expect(violations()).toEqual([]);
  for (const text of [nats.log(), logs()]) for (const role of SERVICES) expect(text).not.toContain(secret(role));
});

async function lookedAtByPrometheus(targets: readonly string[]): Promise<void> {
  await using prometheus = await startPrometheus(targets);
  await prometheusSees(prometheus, targets);
}

function variables(
  prefix: string,
  role: string,
  auth: 'password' | 'nkey',
  secretFile: (role: string) => string,
): Record<string, string> {
  if (auth === 'nkey') return { [`ETCD_OPS_${prefix}_NKEY_FILE`]: secretFile(role) };
  return { [`ETCD_OPS_${prefix}_USER`]: role, [`ETCD_OPS_${prefix}_PASSWORD_FILE`]: secretFile(role) };
}

function tlsConfig(files: CertificateFiles | undefined): string {
  if (files === undefined) return '';
  return `tls { cert_file: ${JSON.stringify(files.certFile)}, key_file: ${JSON.stringify(files.keyFile)} }`;
}
