import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  eventually,
  missingServers,
  OssServer,
  S3Server,
  startEtcd,
  tempDir,
  type TempDir,
  type TestEtcd,
} from '@etcd-ops/test-kit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CommandResult } from './run-etcd-ops.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const BUCKET = 'bak-bucket';
const reason = missingServers();

test('the servers for these tests are there', (context) => {
  if (reason !== undefined) context.skip(reason);
});

/** A service with one bucket. */
interface Service {
  secret: string;
  /** A folder of credentials, as the seed has it: a file for each value. */
  credentials: Record<string, string>;
  keys(): readonly string[];
  body(key: string): Buffer;
  unfinishedUploads(): number;
  /** Makes the key at hand invalid, until it is called back. */
  refuseKey(): () => void;
  close(): Promise<void>;
}

/** The same commands as the seed's README has them; `spelling`: of `--storage-provider` there. */
const SERVICES = [
  {
    provider: 'S3',
    spelling: 's3',
    variable: 'AWS_APPLICATION_CREDENTIALS',
    flags: '--min-chunk-size 5MiB --max-parallel-chunk-uploads 2',
    start: startS3,
  },
  { provider: 'OSS', spelling: 'OSS', variable: 'ALICLOUD_APPLICATION_CREDENTIALS', flags: '', start: startOss },
];

async function startS3(): Promise<Service> {
  const secret = 'the/secret+of/this-test=of-S3';
  const account = { accessKeyId: 'AKIDOFTHETESTS', secretAccessKey: secret };
  const server = await S3Server.start({ accounts: [account], buckets: [BUCKET] });
  const bucket = server.bucket(BUCKET);
  return {
    secret,
    credentials: {
      accessKeyID: account.accessKeyId,
      secretAccessKey: secret,
      region: server.region,
      endpoint: server.endpoint,
    },
    keys: () => bucket.keys(),
    body: (key) => bucket.object(key)!.body,
    unfinishedUploads: () => bucket.uploads.size,
    refuseKey: () => {
      server.accounts = [{ ...account, secretAccessKey: 'another' }];
      return () => void (server.accounts = [account]);
    },
    close: async () => await server.close(),
  };
}

async function startOss(): Promise<Service> {
  const secret = 'the-secret-of-this-test-of-OSS';
  const account = { accessKeyId: 'LTAI0123456789', accessKeySecret: secret };
  const server = await OssServer.start({ accounts: [account], buckets: [BUCKET] });
  const bucket = server.bucket(BUCKET);
  return {
    secret,
    credentials: { accessKeyID: account.accessKeyId, accessKeySecret: secret, storageEndpoint: server.endpoint },
    keys: () => bucket.keys(),
    body: (key) => bucket.current(key)!.body,
    unfinishedUploads: () => bucket.uploads.size,
    refuseKey: () => {
      server.accounts = [{ ...account, accessKeySecret: 'another' }];
      return () => void (server.accounts = [account]);
    },
    close: async () => await server.close(),
  };
}

describe.skipIf(reason !== undefined).each(SERVICES)('the commands of the seed README, with $provider', (service) => {
  const { provider, variable } = service;
  const where = `--storage-provider ${provider} --bucket ${BUCKET} --cluster-name prod-etcd-bak`;
  let scratch: TempDir;
  let etcd: TestEtcd;
  let storage: Service;
  let snapshot: CommandResult;
  let dump: string;
  const told: string[] = [];

  beforeAll(async () => {
    scratch = tempDir();
    etcd = await startEtcd();
    storage = await service.start();
    mkdirSync(scratch.file('data'));
    for (const [name, text] of Object.entries(storage.credentials)) {
      writeFileSync(scratch.file('data', name), `${text}\n`);
    }
    mkdirSync(scratch.file('bin'));
    symlinkSync(join(ROOT, 'bin', 'etcd-ops'), scratch.file('bin', 'etcd-ops'));

    const daemon = start(
      `./bin/etcd-ops snapshot --storage-provider ${service.spelling} --bucket ${BUCKET} --cluster-name prod-etcd-bak  --enable-compression true ${service.flags}`,
    );
    try {
      await eventually(async () => (await restorableTo()) > 0, { timeoutMs: 60_000 });
      for (let index = 0; index < 30; index++) await etcd.etcdctl('put', `key-${index % 7}`, `value-${index}`);
      await eventually(async () => (await restorableTo()) > 20, { timeoutMs: 60_000 });
      await etcd.etcdctl('put', 'the-last', 'of-all');
      dump = await etcd.etcdctl('get', '', '--from-key', '-w', 'json');
    } finally {
      daemon.child.kill('SIGTERM');
      snapshot = await daemon.result;
    }
  });

  afterAll(async () => {
    await etcd?.[Symbol.asyncDispose]();
    await storage?.close();
    await scratch?.remove();
  });

  /** As typed into a shell, in a directory of its own, after `export ...=...` of the folder of credentials. */
  function start(command: string): { child: ChildProcess; result: Promise<CommandResult> } {
    const child = spawn('/bin/sh', ['-c', `export ${variable}=${scratch.file('data')}\nexec ${command}`], {
      cwd: scratch.path,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ETCD_OPS_ENDPOINTS: etcd.endpoint, ETCD_OPS_DELTA_SNAPSHOT_PERIOD: '300ms' },
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const result = once(child, 'close').then(([exitCode]) => {
      told.push(stdout, stderr);
      return { exitCode: exitCode as number | null, stdout, stderr };
    });
    return { child, result };
  }
  const run = async (command: string): Promise<CommandResult> => await start(command).result;

  async function restorableTo(): Promise<number> {
    const { stdout } = await run(`./bin/etcd-ops list ${where} -o json`);
    const list = JSON.parse(stdout === '' ? '{}' : stdout) as { restorable?: { to: number }[] };
    return list.restorable?.at(-1)?.to ?? 0;
  }

  async function expectSameData(dataDir: string): Promise<void> {
    await using restored = await startEtcd({ dataDir: scratch.file(dataDir), name: 'default' });
    expect(withoutHeader(await restored.etcdctl('get', '', '--from-key', '-w', 'json'))).toEqual(withoutHeader(dump));
  }

  test('snapshot: fulls and deltas lie in the bucket, compressed, below the name of the cluster only', () => {
    expect(snapshot.exitCode, snapshot.stderr).toBe(0);
    const keys = storage.keys();
    expect(keys.filter((key) => !key.startsWith('prod-etcd-bak/'))).toEqual([]);
    expect(keys.filter((key) => key.includes('/full/') && key.endsWith('.db.gz')).length).toBeGreaterThan(0);
    expect(keys.filter((key) => key.includes('/delta/')).length).toBeGreaterThan(0);
    expect(storage.unfinishedUploads()).toBe(0);
  });

  test('restore: the very last write is there', async () => {
    const { exitCode, stderr } = await run(`./bin/etcd-ops restore ${where}`);
    expect(exitCode, stderr).toBe(0);
    await expectSameData('default.etcd');
  });

  test('compact: one full more, from which the same comes back', async () => {
    const fulls = () => storage.keys().filter((key) => key.endsWith('.db.gz') || key.endsWith('.db'));
    const before = fulls();
    const { exitCode, stderr } = await run(`./bin/etcd-ops compact ${where} --enable-compression true`);
    expect(exitCode, stderr).toBe(0);
    expect(fulls()).toHaveLength(before.length + 1);
    const restored = await run(`./bin/etcd-ops restore ${where} --data-dir compacted.etcd`);
    expect(restored.exitCode, restored.stderr).toBe(0);
    await expectSameData('compacted.etcd');
  });

  test('a key that is refused is told in three sentences', async () => {
    const allow = storage.refuseKey();
    const { exitCode, stderr } = await run(`./bin/etcd-ops list ${where}`);
    allow();
    expect(exitCode).toBe(9);
    expect(stderr).toMatch(
      /SignatureDoesNotMatch.*\n {2}why: .*\n {2}do: .*secret does not fit.*\n {2}\(STORE_CREDENTIALS, exit code 9\)/,
    );
  });

  test('the secret is in no output, no stored object, and no file of the daemon', () => {
    const { secret } = storage;
    expect(told.filter((text) => text.includes(secret))).toEqual([]);
    expect(storage.keys().filter((key) => storage.body(key).includes(secret))).toEqual([]);
    const state = scratch.file('.etcd-ops');
    const files = readdirSync(state, { recursive: true, encoding: 'utf8' }).map((name) => join(state, name));
    const plain = files.filter((path) => statSync(path).isFile());
    expect(plain.length).toBeGreaterThan(0);
    expect(plain.filter((path) => readFileSync(path).includes(secret))).toEqual([]);
  });

  // Neither does with another store what it does not do with this one: once is enough.
  if (provider !== 'S3') return;

  test('ensure: a member without data gets the newest state, verified as it is restored', async () => {
    const member = '--name default --initial-cluster default=http://localhost:2380';
    const { exitCode, stderr } = await run(`./bin/etcd-ops ensure ${where} --data-dir ensured.etcd ${member} --yes`);
    expect(exitCode, stderr).toBe(0);
    await expectSameData('ensured.etcd');
  });

  test('a folder of the bucket is a place of its own', async () => {
    const list = await run(`./bin/etcd-ops list ${where} --store-folder elsewhere -o json`);
    expect(list.stdout + list.stderr).not.toContain('"restorable":[{');
    const restored = await run(`./bin/etcd-ops restore ${where} --store-folder elsewhere --data-dir none.etcd`);
    expect(restored.exitCode).toBe(6);
  });
});

function withoutHeader(json: string): unknown {
  const { header: _header, ...rest } = JSON.parse(json) as { header: unknown };
  return rest;
}
