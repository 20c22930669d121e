import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ROLES } from '@etcd-ops/bus';
import { findBinary, missingBinary, tempDir } from '@etcd-ops/local-servers';
import { describe, expect, test } from 'vitest';
import { natsFiles } from '../docs/nats-files.ts';
import { writeNatsConfig, type NatsConfigOptions } from './write-nats-config.ts';

const NATS_VERSIONS = ['2.9', '2.10'];
const DEPLOY = join(import.meta.dirname, '..', '..', '..', '..', 'deploy', 'nats');

const options = (dir: string): NatsConfigOptions => ({ dir, auth: 'nkey', storeDir: '/data', verifyClients: false });

describe.each(NATS_VERSIONS)('nats-server %s', (version) => {
  const binary = findBinary('nats-server', version);
  const check = (path: string, environment: Record<string, string> = {}): void => {
    execFileSync(binary!, ['-t', '-c', path], { stdio: 'pipe', env: { ...process.env, ...environment } });
  };

  test.each(['nkey', 'password'] as const)('takes what is written for one server, with %s', async (auth) => {
    await using dir = tempDir();
    await writeNatsConfig({ ...options(dir.path), auth });
    if (binary !== undefined) check(dir.file('nats-server.conf'));
    expect(statSync(dir.file('accounts.conf')).mode & 0o777).toBe(auth === 'nkey' ? 0o644 : 0o600);
    expect(readdirSync(dir.file('users')).toSorted()).toEqual(ROLES.map(({ name }) => name).toSorted());
  });

  test('takes what is written for three', async (context) => {
    if (binary === undefined) return context.skip(missingBinary('nats-server', version));
    await using dir = tempDir();
    await writeNatsConfig({ ...options(dir.path), node: ['n1=10.0.0.1', 'n2=10.0.0.2', 'n3=10.0.0.3'] });
    for (const name of ['n1', 'n2', 'n3']) check(dir.file(`${name}.conf`));
    expect(readFileSync(dir.file('n2.conf'), 'utf8')).toMatch(
      /routes: \[\s+"nats-route:\/\/10\.0\.0\.1:6222"\s+"nats-route:\/\/10\.0\.0\.3:6222"\s+\]/,
    );
  });

  test('takes the files of deploy/nats, with the passwords of its environment', (context) => {
    if (binary === undefined) return context.skip(missingBinary('nats-server', version));
    const example = natsFiles()['roles.env.example'] ?? '';
    const lines = example.split('\n').filter((line) => line.includes('='));
    const environment = Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1).replaceAll("'", '')]),
    );
    check(join(DEPLOY, 'nats-server.conf'), environment);
    // Proof that the file was read at all: without the passwords it is refused.
    expect(() => check(join(DEPLOY, 'nats-server.conf'))).toThrow(/variable reference/);
  });
});

test('secrets stay when it is run again, but those that are to be replaced', async () => {
  await using dir = tempDir();
  const secret = (role: string): string => readFileSync(dir.file('users', role, 'user.nk'), 'utf8');
  await writeNatsConfig(options(dir.path));
  const before = ROLES.map(({ name }) => secret(name));
  const accounts = readFileSync(dir.file('accounts.conf'), 'utf8');
  await writeNatsConfig(options(dir.path));
  expect(readFileSync(dir.file('accounts.conf'), 'utf8')).toBe(accounts);
  await writeNatsConfig({ ...options(dir.path), rotate: ['watcher'] });
  const changed = ROLES.filter(({ name }, index) => secret(name) !== before[index]).map(({ name }) => name);
  expect(changed).toEqual(['watcher']);
  expect(readFileSync(dir.file('accounts.conf'), 'utf8')).not.toContain(secret('watcher').trim());
});

test('what is wrong is told before anything is written', async () => {
  await using dir = tempDir();
  const write = (more: Partial<NatsConfigOptions>): Promise<void> => writeNatsConfig({ ...options(dir.path), ...more });
  await expect(write({ node: ['n1'] })).rejects.toMatchObject({ code: 'USAGE' });
  await expect(write({ rotate: ['nobody'] })).rejects.toMatchObject({ code: 'USAGE' });
  await expect(write({ tlsCa: '/ca.pem' })).rejects.toMatchObject({ code: 'USAGE' });
  expect(readdirSync(dir.path)).toEqual([]);
});
