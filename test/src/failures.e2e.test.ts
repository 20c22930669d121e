import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { etcdVersions, missingBinary, tempDir, type TempDir } from '@etcd-ops/test-kit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  CHINESE,
  expectChineseFailure,
  expectFailure,
  runCli,
  type CliOptions,
  type CliResult,
  type ExpectedFailure,
} from './failures/run-cli.ts';
import { recordSnapshots, storeChain } from './restore/recorded-repository.ts';

const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;
const reason = etcdVersions().length === 0 ? missingBinary('etcd') : undefined;

test('the servers for these tests are there', (context) => {
  if (reason !== undefined) context.skip(reason);
});

/** A failure of `restore` on a repository of one full and five deltas: how it comes about, and how it is told. */
interface Row extends ExpectedFailure {
  what: string;
  /** Changes the copy of the repository. */
  damage?: (files: RepositoryFiles) => void;
  args?: readonly string[];
  /** Why the row cannot be tried here. */
  skip?: string | undefined;
  options?: CliOptions;
}

interface RepositoryFiles {
  bucket: string;
  full: string;
  manifest: string;
  deltas: string[];
}

const asNobody: Pick<Row, 'options' | 'skip'> = {
  options: { uid: NOBODY },
  skip: isRoot ? undefined : 'only root can run a command as another user',
};

const ROWS: readonly Row[] = [
  {
    what: 'a misspelt flag',
    args: ['--revison', '3'],
    code: 'USAGE',
    exitCode: 2,
    says: /--revison/,
    remedy: /--revision/,
  },
  {
    what: 'a bucket that is not there',
    args: ['--bucket', '/nonexistent/bak'],
    code: 'NO_BACKUP',
    exitCode: 6,
    remedy: /--bucket/,
  },
  {
    what: 'a misspelt cluster',
    args: ['--cluster-name', 'prodd'],
    code: 'NO_BACKUP',
    exitCode: 6,
    says: /prodd/,
    remedy: /Did you mean --cluster-name prod\?/,
  },
  {
    what: 'a timeline that is not there',
    args: ['--timeline', '9'],
    code: 'NO_BACKUP',
    exitCode: 6,
    says: /timeline 9/,
  },
  {
    what: 'a full that is not there',
    args: ['--snapshot', 'nothing.db'],
    code: 'STORE_NOT_FOUND',
    exitCode: 9,
    says: /nothing\.db/,
  },
  {
    what: 'a revision beyond the head',
    args: ['--revision', '999999'],
    code: 'REVISION_NOT_RESTORABLE',
    exitCode: 5,
    says: /before it \d+/,
  },
  {
    what: 'a revision before the first backup',
    args: ['--revision', '2'],
    code: 'REVISION_NOT_RESTORABLE',
    exitCode: 5,
    says: /behind it \d+/,
  },
  {
    what: 'a time before the first backup',
    args: ['--time', '2001-01-01T00:00:00Z'],
    code: 'TIME_NOT_RESTORABLE',
    exitCode: 5,
    says: /2001-01-01/,
  },
  {
    what: 'a revision inside a gap: a delta is missing',
    damage: ({ deltas }) => rmSync(deltas[1]!),
    args: ['--revision', '500'],
    code: 'REVISION_NOT_RESTORABLE',
    exitCode: 5,
    says: /Revision 500 .* gap/,
  },
  {
    what: 'the newest, and a delta before it is missing',
    damage: ({ deltas }) => rmSync(deltas[1]!),
    code: 'NEWEST_NOT_RESTORABLE',
    exitCode: 5,
    says: /Revision \d+ of timeline 1 .* revisions \d+ to \d+ are missing, though deltas behind them reach \d+/,
    remedy: /--revision \d+ --timeline 1.*--allow-older/,
  },
  {
    what: 'the newest, and its delta is empty',
    damage: ({ deltas }) => truncateSync(deltas.at(-1)!, 0),
    code: 'NEWEST_NOT_RESTORABLE',
    exitCode: 5,
    says: /objects that reach revision \d+ cannot be used: .*\.delta \(0 bytes are too few/,
    remedy: /--allow-older/,
  },
  {
    what: 'a time behind an empty delta',
    damage: ({ deltas }) => truncateSync(deltas.at(-1)!, 0),
    args: ['--time', '2100-01-01T00:00:00Z'],
    code: 'TIME_NOT_RESTORABLE',
    exitCode: 5,
    says: /Ask for revision \d+ of timeline 1/,
  },
  {
    what: 'a flipped byte in a delta',
    damage: ({ deltas }) => flip(deltas[2]!),
    code: 'DELTA_DAMAGED',
    exitCode: 4,
    says: /\.delta/,
    remedy: /--revision \d+/,
  },
  {
    what: 'a delta cut short',
    damage: ({ deltas }) => cut(deltas[2]!),
    code: 'DELTA_DAMAGED',
    exitCode: 4,
    says: /\.delta/,
    remedy: /--revision \d+/,
  },
  {
    what: 'a flipped byte in the full',
    damage: ({ full }) => flip(full),
    code: 'OBJECT_DAMAGED',
    exitCode: 4,
    says: /\.db/,
  },
  {
    what: 'a full cut short',
    damage: ({ full }) => cut(full),
    code: 'OBJECT_DAMAGED',
    exitCode: 4,
    says: /damaged .*\.db/,
    remedy: /snapshot --once/,
  },
  {
    what: 'a full without its manifest',
    damage: ({ manifest }) => rmSync(manifest),
    code: 'NO_BACKUP',
    exitCode: 6,
    says: /incomplete/,
    remedy: /snapshot --once/,
  },
  {
    what: 'a flipped byte in the manifest',
    damage: ({ manifest }) => flip(manifest),
    code: 'MANIFEST_DAMAGED',
    exitCode: 4,
    says: /damaged .*\.json/,
    remedy: /snapshot --once/,
  },
  {
    what: 'a manifest cut short',
    damage: ({ manifest }) => cut(manifest),
    code: 'MANIFEST_DAMAGED',
    exitCode: 4,
    says: /damaged .*\.json/,
    remedy: /snapshot --once/,
  },
  {
    what: 'a full that may not be read',
    damage: ({ full }) => chmodSync(full, 0),
    ...asNobody,
    code: 'STORE_FAILED',
    exitCode: 9,
    says: /\.db could not be opened/,
  },
  {
    what: 'a delta that may not be read',
    damage: ({ deltas }) => chmodSync(deltas[1]!, 0),
    ...asNobody,
    code: 'STORE_FAILED',
    exitCode: 9,
    says: /\.delta/,
  },
  {
    what: 'a folder that may not be read',
    damage: ({ full }) => chmodSync(dirname(full), 0),
    ...asNobody,
    code: 'STORE_FAILED',
    exitCode: 9,
    says: /EACCES/,
  },
  {
    what: 'a member that is not in the cluster',
    args: ['--name', 'm7'],
    code: 'USAGE',
    exitCode: 2,
    says: /m7/,
    remedy: /--initial-cluster/,
  },
  {
    what: 'a store that nobody knows',
    args: ['--storage-provider', 'S4'],
    code: 'USAGE',
    exitCode: 2,
    says: /S4/,
    remedy: /Local, S3, OSS/,
  },
  {
    what: 'a configuration file that is not there',
    args: ['--config', '/nonexistent.yaml'],
    code: 'USAGE',
    exitCode: 2,
    says: /nonexistent\.yaml/,
  },
];

describe.skipIf(reason !== undefined)('restore', () => {
  let home: TempDir;
  let original: string;
  let scratch: TempDir;
  let files: RepositoryFiles;

  beforeAll(async () => {
    home = tempDir();
    original = home.file('bucket');
    await storeChain(original, await recordSnapshots(home.file('snapshots')), { revisionsEach: 100 });
  });
  afterAll(() => home?.remove());

  beforeEach(() => {
    scratch = tempDir();
    files = copyOf(original, scratch.file('bak'));
    mkdirSync(scratch.file('work'));
    // Another user may read the backups, and restore where the directory is its own.
    execFileSync('chmod', ['-R', 'a+rX', scratch.path]);
    if (isRoot) chownSync(scratch.file('work'), NOBODY, NOBODY);
  });
  afterEach(() => scratch.remove());

  const restore = (args: readonly string[] = [], options?: CliOptions): Promise<CliResult> =>
    runCli(
      [
        'restore',
        '--bucket',
        files.bucket,
        '--cluster-name',
        'prod',
        '--data-dir',
        scratch.file('work', 'etcd'),
        ...args,
      ],
      options,
    );
  const left = (): string[] => readdirSync(scratch.file('work'));

  test.for(ROWS)('$what: $code, exit code $exitCode, and nothing is left behind', async (row, context) => {
    if (row.skip !== undefined) context.skip(row.skip);
    row.damage?.(files);
    const result = await restore(row.args, row.options);
    expectFailure(result, row);
    expect(result.stdout).toBe('');
    expectChineseFailure(await restore(row.args, { ...row.options, env: CHINESE }), row);
    const json = await restore([...(row.args ?? []), '-o', 'json'], row.options);
    expect({ exitCode: json.exitCode, stdout: json.stdout }).toEqual({ exitCode: row.exitCode, stdout: '' });
    expect(JSON.parse(json.stderr.split('\n').at(-2) ?? '')).toMatchObject({
      error: { code: row.code, exitCode: row.exitCode, message: expect.any(String), remedy: expect.any(String) },
    });
    expect(left()).toEqual([]);
  });

  test('less than was captured is restored only on purpose, by `ensure`, too, and that is said', async () => {
    rmSync(files.deltas[1]!);
    const older = { code: 'NEWEST_NOT_RESTORABLE', exitCode: 5, remedy: /--allow-older/ } as const;
    const repository = ['--bucket', files.bucket, '--cluster-name', 'prod'];
    const ensured = ['ensure', ...repository, '--data-dir', scratch.file('work', 'ensured')];
    expectFailure(await runCli(ensured), older);
    expectFailure(await runCli([...ensured, '--check']), older);
    expectFailure(await restore(['--plan']), older);
    const check = await runCli(['check', ...repository, '--no-etcd']);
    expect({ exitCode: check.exitCode, stdout: check.stdout }).toMatchObject({
      exitCode: 5,
      stdout: expect.stringMatching(/FAIL +chains .* revisions \d+ to \d+ are missing/),
    });
    expect(left()).toEqual([]);
    for (const { exitCode, stdout, stderr } of [
      await restore(['--allow-older']),
      await runCli([...ensured, '--allow-older']),
    ]) {
      expect(exitCode, stderr).toBe(0);
      expect(stdout).toContain('More was captured than this');
    }
    expect(left()).toEqual(['ensured', 'etcd']);
  });

  test('damaged backups are told from none at all by the other commands, too', async () => {
    cut(files.full);
    const repository = ['--bucket', files.bucket, '--cluster-name', 'prod'];
    const list = await runCli(['list', ...repository]);
    expectFailure(list, { code: 'OBJECT_DAMAGED', exitCode: 4, remedy: /snapshot --once/ });
    expect(list.stdout).toMatch(/^Damaged: .*\.db: /m);
    expectFailure(await runCli(['info', ...repository]), { code: 'OBJECT_DAMAGED', exitCode: 4 });
    expectFailure(await runCli(['compact', ...repository]), { code: 'OBJECT_DAMAGED', exitCode: 4 });
    // A new, empty cluster would bury what may still be mended.
    const dataDir = ['--data-dir', scratch.file('work', 'etcd'), '--allow-new'];
    expectFailure(await runCli(['ensure', ...repository, ...dataDir]), { code: 'OBJECT_DAMAGED', exitCode: 4 });
    expect(left()).toEqual([]);
  });

  test('files of somebody else are left alone', async () => {
    const foreign = join(dirname(files.full), 'notes.txt');
    writeFileSync(foreign, 'mine');
    expect((await restore()).exitCode).toBe(0);
    const list = await runCli(['list', '--bucket', files.bucket, '--cluster-name', 'prod', '-o', 'json']);
    expect(list.exitCode, list.stderr).toBe(0);
    expect((JSON.parse(list.stdout) as { foreign: string[] }).foreign).toEqual([expect.stringContaining('notes.txt')]);
    expect(readFileSync(foreign, 'utf8')).toBe('mine');
  });

  test('a data directory that holds data is refused and not touched', async () => {
    mkdirSync(scratch.file('work', 'etcd'));
    writeFileSync(scratch.file('work', 'etcd', 'precious'), 'data');
    expectFailure(await restore(), {
      code: 'TARGET_OCCUPIED',
      exitCode: 7,
      says: /precious/,
      remedy: /never overwrites/,
    });
    expect(readdirSync(scratch.file('work', 'etcd'))).toEqual(['precious']);
  });

  test('a directory that may not be written', async (context) => {
    if (asNobody.skip !== undefined) context.skip(asNobody.skip);
    chownSync(scratch.file('work'), 0, 0);
    expectFailure(await restore([], asNobody.options), {
      code: 'DISK_FAILED',
      exitCode: 12,
      says: /etcd/,
      remedy: /rights/,
    });
    expect(left()).toEqual([]);
  });

  test('a full disk', async (context) => {
    const disk = scratch.file('work');
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=600k', 'tmpfs', disk], { stdio: 'ignore' });
    } catch {
      context.skip('a small file system cannot be mounted here');
    }
    try {
      expectFailure(await restore(), { code: 'DISK_FAILED', exitCode: 12, says: /etcd/, remedy: /free space/ });
      expect(left()).toEqual([]);
    } finally {
      execFileSync('umount', [disk]);
    }
  });

  test('a terminal that is gone does not keep a restore from being finished', async () => {
    const { exitCode } = await restore(['--progress', 'plain'], { closeOutputs: true });
    expect(exitCode).toBe(0);
    expect(readdirSync(scratch.file('work', 'etcd'))).toEqual(['member']);
  });

  test('whoever reads only the first line does no harm', async () => {
    const list = await runCli(['list', '--bucket', files.bucket, '--cluster-name', 'prod'], { closeOutputs: true });
    expect(list.exitCode).toBe(0);
  });

  test.each(['SIGHUP', 'SIGINT', 'SIGTERM'] as const)('%s midway leaves all or nothing', async (signal) => {
    let watching: NodeJS.Timeout | undefined;
    const { exitCode } = await restore([], {
      onStarted: (pid) => {
        watching = setInterval(() => {
          if (left().length === 0) return;
          clearInterval(watching);
          process.kill(pid, signal);
        }, 1);
      },
    });
    clearInterval(watching);
    // It may come when all is done but the end of the process. Without a terminal a hang-up means nothing.
    const made = left().map((name) => readdirSync(scratch.file('work', name, 'member')).toSorted());
    expect([[], [['snap', 'wal']]]).toContainEqual(made);
    if (exitCode === 0) expect(left()).toEqual(['etcd']);
    else if (exitCode !== null) expect({ exitCode, left: left() }).toEqual({ exitCode: 130, left: [] });
  });
});

describe('without any server', () => {
  test('every mistake of usage is told at once', async () => {
    const result = await runCli(['restore', '--bukket', 'x', '--revision', 'nine', '--max-fetchers=many']);
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toContain('3 settings are wrong');
    expect(result.stderr).toContain('Did you mean --bucket?');
  });

  test('a misspelt command names the nearest', async () => {
    expectFailure(await runCli(['snapshott']), {
      code: 'USAGE',
      exitCode: 2,
      says: /snapshott/,
      remedy: /Did you mean snapshot\?/,
    });
  });

  test('flags of an embedded etcd are said to be unnecessary, in a line each', async () => {
    const result = await runCli([
      'restore',
      '--max-txn-ops',
      '128',
      '--auto-compaction-mode',
      'periodic',
      '--bucket',
      '/nonexistent/bak',
    ]);
    expect(result.stderr.match(/is not needed and has no effect/g)).toHaveLength(2);
    expect(result.exitCode).toBe(6);
  });

  test('Chinese where LANG is Chinese', async () => {
    const { stdout, exitCode } = await runCli(['--help'], { env: { LANG: 'zh_CN.UTF-8' } });
    expect(exitCode).toBe(0);
    expect(stdout).toContain('用法');
  });

  test('help is there at once', async () => {
    await runCli(['restore', '--help']);
    const times: number[] = [];
    for (let index = 0; index < 5; index++) {
      const begin = performance.now();
      expect((await runCli(['restore', '--help'])).exitCode).toBe(0);
      times.push(performance.now() - begin);
    }
    // The promise is 150 ms once warm; a machine that runs other tests beside may take thrice that.
    expect(Math.min(...times)).toBeLessThan(450);
  });

  test('status without a daemon', async () => {
    const scratch = tempDir();
    const result = await runCli(['status', '--bucket', scratch.path, '--cluster-name', 'prod']);
    expectFailure(result, { code: 'BUS_UNREACHABLE', exitCode: 10, says: /No daemon runs/, remedy: /--state-dir/ });
    await scratch.remove();
  });
});

function copyOf(original: string, bucket: string): RepositoryFiles {
  cpSync(original, bucket, { recursive: true, preserveTimestamps: true });
  const timeline = join(bucket, 'prod', 't00000001');
  const fulls = readdirSync(join(timeline, 'full'));
  const find = (suffix: string): string =>
    join(
      timeline,
      'full',
      fulls.find((name) => name.endsWith(suffix))!,
    );
  const deltas = readdirSync(join(timeline, 'delta'))
    .toSorted()
    .map((name) => join(timeline, 'delta', name));
  return { bucket, full: find('.db'), manifest: find('.json'), deltas };
}

function flip(path: string): void {
  const bytes = readFileSync(path);
  bytes[Math.floor(bytes.length / 2)]! ^= 1;
  writeFileSync(path, bytes);
}

function cut(path: string): void {
  truncateSync(path, Math.floor(readFileSync(path).length / 2));
}
