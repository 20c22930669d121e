import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import {
  createAuthority,
  eventually,
  missingOpenssl,
  missingServers,
  startEtcd,
  tempDir,
  type Authority,
  type TempDir,
  type TestEtcd,
} from '@etcd-ops/test-kit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  CHINESE,
  expectChineseFailure,
  expectFailure,
  runCli,
  type CliResult,
  type ExpectedFailure,
} from './failures/run-cli.ts';
import { startEtcdOps } from './run-etcd-ops.ts';

const reason = missingServers() ?? missingOpenssl();

test('the servers for these tests are there', (context) => {
  if (reason !== undefined) context.skip(reason);
});

const AUTH_COMMANDS = [
  ['user', 'add', 'root', '--new-user-password=secret'],
  ['user', 'grant-role', 'root', 'root'],
  ['role', 'add', 'reading'],
  ['role', 'grant-permission', '--prefix=true', 'reading', 'read', ''],
  ['user', 'add', 'reader', '--new-user-password=reader'],
  ['user', 'grant-role', 'reader', 'reading'],
  ['auth', 'enable'],
];

interface Row extends ExpectedFailure {
  what: string;
  args: () => string[];
}

describe.skipIf(reason !== undefined)('snapshot', () => {
  let scratch: TempDir;
  let ours: Authority;
  let theirs: Authority;
  let plain: TestEtcd;
  let secure: TestEtcd;
  let guarded: TestEtcd;
  let three: TestEtcd;
  let count = 0;

  beforeAll(async () => {
    scratch = tempDir();
    mkdirSync(scratch.file('tls'));
    ours = createAuthority(scratch.file('tls'), 'ours');
    theirs = createAuthority(scratch.file('tls'), 'theirs');
    const tls = { ...ours.issue('server'), clientCertAuth: true };
    [plain, secure, guarded, three] = await Promise.all([
      startEtcd(),
      startEtcd({ tls }),
      startEtcd(),
      startEtcd({ members: 3 }),
    ]);
    for (const command of AUTH_COMMANDS) await guarded.etcdctl(...command);
  });
  afterAll(async () => {
    await Promise.all([plain, secure, guarded, three].map((etcd) => etcd?.[Symbol.asyncDispose]()));
    await scratch?.remove();
  });

  const bucket = (): string => scratch.file('bak');
  const snapshot = (args: readonly string[], options?: Parameters<typeof runCli>[1]): Promise<CliResult> =>
    runCli(
      ['snapshot', '--bucket', bucket(), '--cluster-name', `c${(count += 1)}`, '--log-level', 'error', ...args],
      options,
    );

  const rows: readonly Row[] = [
    {
      what: 'an endpoint where nothing listens',
      args: () => ['--endpoints', '127.0.0.1:1'],
      code: 'ETCD_UNREACHABLE',
      exitCode: 8,
      says: /127\.0\.0\.1:1/,
    },
    {
      what: 'a host that has no address',
      args: () => ['--endpoints', 'nowhere.invalid:2379'],
      code: 'ETCD_UNREACHABLE',
      exitCode: 8,
      says: /nowhere\.invalid/,
    },
    {
      what: 'http:// to a server of TLS',
      args: () => ['--endpoints', secure.endpoint.replace('https', 'http')],
      code: 'ETCD_TLS',
      exitCode: 8,
      says: /use https/,
    },
    {
      what: 'https:// to a server without TLS',
      args: () => ['--endpoints', plain.endpoint.replace('http', 'https')],
      code: 'ETCD_UNREACHABLE',
      exitCode: 8,
      says: /use http:/,
    },
    {
      what: 'a server whose CA is not known',
      args: () => ['--endpoints', secure.endpoint],
      code: 'ETCD_TLS',
      exitCode: 8,
      says: /CA/,
    },
    {
      what: 'a server of another CA',
      args: () => ['--endpoints', secure.endpoint, '--cacert', theirs.caFile],
      code: 'ETCD_TLS',
      exitCode: 8,
      says: /not signed by a CA in/,
    },
    {
      what: 'no certificate where one is asked for',
      args: () => ['--endpoints', secure.endpoint, '--cacert', ours.caFile],
      code: 'ETCD_TLS',
      exitCode: 8,
      says: /client certificate/,
    },
    {
      what: 'a client certificate of another CA',
      args: () => {
        const { certFile, keyFile } = theirs.issue('client');
        return ['--endpoints', secure.endpoint, '--cacert', ours.caFile, '--cert', certFile, '--key', keyFile];
      },
      code: 'ETCD_TLS',
      exitCode: 8,
      says: /client certificate/,
    },
    {
      what: 'a CA file that is not there',
      args: () => ['--endpoints', secure.endpoint, '--cacert', '/nonexistent.pem'],
      code: 'ETCD_TLS',
      exitCode: 8,
      says: /nonexistent\.pem/,
    },
    {
      what: 'a certificate without its key',
      args: () => ['--endpoints', secure.endpoint, '--cert', ours.caFile],
      code: 'CONFIG_INVALID',
      exitCode: 2,
      says: /key/,
    },
    {
      what: 'no password where one is asked for',
      args: () => ['--endpoints', guarded.endpoint],
      code: 'ETCD_AUTH',
      exitCode: 8,
      says: /login/,
    },
    {
      what: 'a wrong password',
      args: () => ['--endpoints', guarded.endpoint, '--etcd-username', 'root', '--etcd-password', 'guess'],
      code: 'ETCD_AUTH',
      exitCode: 8,
      says: /user root with this password/,
    },
    {
      what: 'a user that may only read',
      args: () => ['--endpoints', guarded.endpoint, '--etcd-username', 'reader', '--etcd-password', 'reader'],
      code: 'ETCD_AUTH',
      exitCode: 8,
      says: /reader .* role root/,
    },
    {
      what: 'endpoints of two clusters',
      args: () => ['--endpoints', [plain.endpoint, ...three.endpoints].join(',')],
      code: 'ETCD_WRONG_CLUSTER',
      exitCode: 8,
      says: /different clusters/,
    },
    {
      what: 'a schedule that is none',
      args: () => ['--schedule', 'daily', '--endpoints', plain.endpoint],
      code: 'CONFIG_INVALID',
      exitCode: 2,
      says: /schedule/,
    },
  ];

  test.for(rows)('$what: $code, exit code $exitCode, and nothing is stored', async ({ args, ...expected }) => {
    const result = await snapshot(['--once', ...args()]);
    expectFailure(result, expected);
    expectChineseFailure(await snapshot(['--once', ...args()], { env: CHINESE }), expected);
    expect(fullsOf(bucket(), `c${count}`)).toEqual([]);
  });

  test('a daemon is refused at its start what no waiting mends', async () => {
    const endpoints = [plain.endpoint, ...three.endpoints].join(',');
    expectFailure(await snapshot(['--endpoints', endpoints]), { code: 'ETCD_WRONG_CLUSTER', exitCode: 8 });
    const reader = ['--etcd-username', 'reader', '--etcd-password', 'reader'];
    expectFailure(await snapshot(['--endpoints', guarded.endpoint, ...reader]), {
      code: 'ETCD_AUTH',
      exitCode: 8,
      says: /no full snapshot/,
    });
  });

  test('a daemon whose etcd is not up yet says so, waits, and ends when it is told to', async () => {
    await using daemon = startEtcdOps(
      'snapshot',
      '--bucket',
      bucket(),
      '--cluster-name',
      'waiting',
      '--endpoints',
      '127.0.0.1:1',
    );
    await eventually(() => daemon.errors().includes('Backing up'), { timeoutMs: 30_000 });
    expect(daemon.errors()).toContain('cannot be backed up yet');
    daemon.child.kill('SIGTERM');
    expect((await daemon.result).exitCode, daemon.errors()).toBe(0);
  });

  test('a program that is missing is named', async () => {
    const env = { PATH: '/nonexistent', ETCD_OPS_TOOLS_DIR: '/nonexistent' };
    const result = await snapshot(['--once', '--endpoints', plain.endpoint], { env });
    expectFailure(result, { code: 'BINARY_MISSING', exitCode: 12, says: /nats-server/ });
  });

  test('a state directory that is a file', async () => {
    const file = scratch.file('occupied');
    writeFileSync(file, 'mine');
    const result = await snapshot(['--once', '--endpoints', plain.endpoint, '--state-dir', file]);
    expectFailure(result, { code: 'DISK_FAILED', exitCode: 12, says: /occupied/ });
  });

  test('a daemon that was killed leaves nothing that hinders the next one', async () => {
    const place = ['--bucket', bucket(), '--cluster-name', 'killed'];
    {
      await using daemon = startEtcdOps('snapshot', ...place, '--endpoints', plain.endpoint);
      await eventually(() => daemon.errors().includes('Backing up'), { timeoutMs: 30_000 });
      const second = await runCli(['snapshot', ...place, '--endpoints', plain.endpoint, '--log-level', 'error']);
      expectFailure(second, { code: 'STATE_DIR_LOCKED', exitCode: 12, remedy: /--state-dir/ });
    }
    const status = await eventually(async () => {
      const result = await runCli(['status', ...place]);
      return result.exitCode === 10 ? result : false;
    });
    expectFailure(status, { code: 'BUS_UNREACHABLE', exitCode: 10 });
    await using again = startEtcdOps('snapshot', ...place, '--endpoints', plain.endpoint);
    await eventually(() => again.errors().includes('Backing up'), { timeoutMs: 30_000 });
    again.child.kill('SIGTERM');
    expect((await again.result).exitCode, again.errors()).toBe(0);
  });

  test('a follower that lags: the full comes from one that does not, and alone it is refused', async () => {
    const { members, endpoints } = three;
    const status = JSON.parse(await three.etcdctl('endpoint', 'status', '-w', 'json')) as {
      Endpoint: string;
      Status: { leader: number; header: { member_id: number } };
    }[];
    const lagging = status.find(({ Status }) => Status.leader !== Status.header.member_id)!.Endpoint;
    const { pid } = members.find(({ endpoint }) => endpoint === lagging)!;
    process.kill(pid, 'SIGSTOP');
    try {
      const others = endpoints.filter((endpoint) => endpoint !== lagging);
      await three.etcdctl('--endpoints', others.join(','), 'put', 'behind', 'its back');
      const limit = ['--etcd-connection-timeout', '3s', '-o', 'json'];
      const taken = await snapshot(['--once', '--endpoints', endpoints.join(','), ...limit]);
      expect(taken.exitCode, taken.stderr).toBe(0);
      const head = JSON.parse(await three.etcdctl('--endpoints', others.join(','), 'get', 'behind', '-w', 'json')) as {
        header: { revision: number };
      };
      expect((JSON.parse(taken.stdout) as { full: { revision: number } }).full.revision).toBe(head.header.revision);
      const alone = await snapshot(['--once', '--endpoints', lagging, '--etcd-connection-timeout', '3s']);
      expectFailure(alone, { code: 'ETCD_UNREACHABLE', exitCode: 8, says: /no answer within [\d.]+ s/ });
    } finally {
      process.kill(pid, 'SIGCONT');
    }
  });

  // Last, for it takes the quorum away.
  test('a cluster without a quorum', async () => {
    await Promise.all(three.members.slice(1).map((member) => member.kill()));
    // The one that is left notices within an election timeout.
    await eventually(
      async () => {
        const result = await snapshot([
          '--once',
          '--endpoints',
          three.endpoints.join(','),
          '--etcd-connection-timeout',
          '2s',
        ]);
        expectFailure(result, { code: 'ETCD_NO_LEADER', exitCode: 8, remedy: /quorum/ });
        return true;
      },
      { timeoutMs: 30_000 },
    );
  });
});

function fullsOf(bucket: string, cluster: string): string[] {
  try {
    return readdirSync(`${bucket}/${cluster}`, { recursive: true })
      .map(String)
      .filter((name) => name.endsWith('.db'));
  } catch {
    return [];
  }
}
