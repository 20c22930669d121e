import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { freePorts, OssServer, S3Server, tempDir, type TempDir } from '@etcd-ops/test-kit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { expectFailure, runCli, type CliResult, type ExpectedFailure } from './failures/run-cli.ts';

const keyId = 'AKOFTHETESTS';
const secret = 'the-secret-of-these-tests';

/** What goes wrong between the command and an object storage, and how it is told. */
interface Row extends ExpectedFailure {
  what: string;
  only?: 'OSS' | 'S3';
  args?: readonly string[];
  /** Files of the folder of credentials; undefined takes one away. */
  files?: Record<string, string | undefined>;
  /** Changes the server. */
  change?: (world: World) => void;
}

interface World {
  server: OssServer | S3Server;
  setClockAheadMs(ms: number): void;
  setSecret(secret: string): void;
  deny(): void;
}

const ROWS: readonly Row[] = [
  {
    what: 'no such bucket',
    args: ['--bucket', 'no-such-bucket'],
    code: 'STORE_NO_BUCKET',
    exitCode: 9,
    says: /no-such-bucket.*no such bucket/,
    remedy: /--bucket/,
  },
  {
    what: 'a region that is not that of the bucket',
    args: ['--store-region', 'eu-west-9'],
    code: 'STORE_NO_BUCKET',
    exitCode: 9,
    remedy: /--store-region/,
  },
  {
    what: 'a key that nobody has',
    files: { accessKeyID: 'AKOFNOBODY' },
    code: 'STORE_CREDENTIALS',
    exitCode: 9,
    says: /credentials are not accepted \(InvalidAccessKeyId\)/,
  },
  {
    what: 'a secret that does not fit the key',
    change: (world) => world.setSecret('another'),
    code: 'STORE_CREDENTIALS',
    exitCode: 9,
    says: /SignatureDoesNotMatch/,
    remedy: /secret does not fit/,
  },
  {
    what: 'a key without the right',
    change: (world) => world.deny(),
    code: 'STORE_DENIED',
    exitCode: 9,
    says: /access denied/,
    remedy: /OPERATIONS\.md/,
  },
  {
    what: 'a clock that is wrong',
    // The SDK of S3 takes the server's clock instead.
    only: 'OSS',
    change: (world) => world.setClockAheadMs(3_600_000),
    code: 'STORE_CLOCK_SKEW',
    exitCode: 9,
    remedy: /NTP/,
  },
  {
    what: 'a server that does not speak TLS',
    args: ['--store-endpoint', 'https://ADDRESS'],
    code: 'STORE_TLS',
    exitCode: 9,
    remedy: /--store-cacert/,
  },
  {
    what: 'a folder of credentials that is not there',
    args: ['--store-credentials-dir', '/nonexistent/credentials'],
    code: 'STORE_CREDENTIALS',
    exitCode: 9,
    says: /\/nonexistent\/credentials.*ENOENT/,
  },
  {
    what: 'a folder of credentials without the key',
    files: { accessKeyID: undefined },
    code: 'STORE_CREDENTIALS',
    exitCode: 9,
    says: /accessKeyID is missing/,
    remedy: /accessKeyID/,
  },
  {
    what: 'an endpoint that is none',
    args: ['--store-endpoint', 'ftp://ADDRESS/path'],
    code: 'CONFIG_INVALID',
    exitCode: 2,
    says: /--store-endpoint/,
  },
  {
    what: 'a bucket without backups',
    code: 'NO_BACKUP',
    exitCode: 6,
    remedy: /bucket/,
  },
];

describe.each(['OSS', 'S3'] as const)('%s', (provider) => {
  let scratch: TempDir;
  let world: World;
  beforeEach(async () => {
    scratch = tempDir();
    world = provider === 'OSS' ? await ossWorld() : await s3World();
  });
  afterEach(async () => {
    await world.server.close();
    await scratch.remove();
  });

  function writeCredentials(more: Record<string, string | undefined> = {}): string {
    const ofProvider =
      provider === 'OSS' ? { accessKeySecret: secret } : { secretAccessKey: secret, region: 'us-east-1' };
    const directory = scratch.file('credentials');
    mkdirSync(directory);
    for (const [name, text] of Object.entries({ accessKeyID: keyId, ...ofProvider, ...more })) {
      if (text !== undefined) writeFileSync(`${directory}/${name}`, `${text}\n`);
    }
    return directory;
  }

  /** `restore` reads the store as each command does, and must leave nothing behind. */
  async function restore(credentials: string, args: readonly string[]): Promise<CliResult> {
    const address = world.server.endpoint.replace('http://', '');
    const common = ['--storage-provider', provider, '--bucket', 'backups', '--cluster-name', 'prod'];
    const where = ['--store-endpoint', world.server.endpoint, '--store-credentials-dir', credentials];
    // The last of a flag that is given twice counts.
    const given = [...common, ...withoutRepeated(where, args), ...args.map((arg) => arg.replace('ADDRESS', address))];
    return await runCli(['restore', ...given, '--data-dir', scratch.file('restored')], { cwd: scratch.path });
  }

  const rows = ROWS.filter(({ only = provider }) => only === provider);
  test.for(rows)('$what: $code, exit code $exitCode', async (row) => {
    row.change?.(world);
    const result = await restore(writeCredentials(row.files), row.args ?? []);
    expectFailure(result, row);
    expect(`${result.stdout}${result.stderr}`).not.toContain(secret);
    expect(readdirSync(scratch.path)).toEqual(['credentials']);
  });

  test('a store that cannot be reached: STORE_UNREACHABLE, exit code 9, after it was tried for a while', async () => {
    const [port] = await freePorts(1);
    const result = await restore(writeCredentials(), ['--store-endpoint', `http://127.0.0.1:${port}`]);
    expectFailure(result, {
      code: 'STORE_UNREACHABLE',
      exitCode: 9,
      says: new RegExp(`127\\.0\\.0\\.1:${port}.*ECONNREFUSED`),
      remedy: /--store-endpoint/,
    });
  });
});

test('the token of a temporary key is not told, also when all libraries are asked to talk', async () => {
  await using scratch = tempDir();
  const securityToken = 'the-token-of-these-tests';
  const account = { accessKeyId: keyId, accessKeySecret: secret, securityToken };
  await using server = await OssServer.start({ accounts: [account], buckets: ['backups'] });
  const files = { accessKeyID: keyId, accessKeySecret: secret, securityToken, storageEndpoint: server.endpoint };
  for (const [name, text] of Object.entries(files)) writeFileSync(scratch.file(name), text);
  const where = ['--storage-provider', 'OSS', '--bucket', 'backups', '--cluster-name', 'prod'];
  const env = { DEBUG: '*', NODE_DEBUG: '', ALICLOUD_APPLICATION_CREDENTIALS: scratch.path };
  const { stdout, stderr } = await runCli(['restore', ...where, '--data-dir', scratch.file('restored')], { env });
  expect(stderr).toContain('NO_BACKUP');
  expect(server.seen.map(({ status }) => status)).toContain(200);
  for (const hidden of [securityToken, secret]) expect(`${stdout}${stderr}`).not.toContain(hidden);
});

function withoutRepeated(defaults: readonly string[], args: readonly string[]): string[] {
  const kept: string[] = [];
  for (let at = 0; at < defaults.length; at += 2) {
    if (!args.includes(defaults[at]!)) kept.push(defaults[at]!, defaults[at + 1]!);
  }
  return kept;
}

async function ossWorld(): Promise<World> {
  let aheadMs = 0;
  const account = { accessKeyId: keyId, accessKeySecret: secret };
  const clock = (): number => Date.now() + aheadMs;
  const server = await OssServer.start({ accounts: [account], buckets: ['backups'], clock });
  return {
    server,
    setClockAheadMs: (ms) => (aheadMs = ms),
    setSecret: (accessKeySecret) => (server.accounts = [{ ...account, accessKeySecret }]),
    deny: () => (server.accounts = [{ ...account, denied: ['*'] }]),
  };
}

async function s3World(): Promise<World> {
  let aheadMs = 0;
  const account = { accessKeyId: keyId, secretAccessKey: secret };
  const clock = (): number => Date.now() + aheadMs;
  const server = await S3Server.start({ accounts: [account], buckets: ['backups'], clock });
  return {
    server,
    setClockAheadMs: (ms) => (aheadMs = ms),
    setSecret: (secretAccessKey) => (server.accounts = [{ ...account, secretAccessKey }]),
    deny: () => (server.accounts = [{ ...account, denied: ['*'] }]),
  };
}
