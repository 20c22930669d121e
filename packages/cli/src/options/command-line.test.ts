import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { restoreCommand } from '../commands/restore.ts';
import { serviceCommand } from '../commands/service.ts';
import { snapshotCommand } from '../commands/snapshot.ts';
import { COMMANDS } from '../commands/command-list.ts';
import { saidOf } from './said-of.ts';
import { readCommandLine } from './command-line.ts';
import { type Command, variableName } from './define-command.ts';
import { flagsByName, flagsOf, spellings } from './flag-index.ts';
import { UsageError } from './usage-error.ts';

async function optionsOf(command: Command, line: string[], environment = {}): Promise<Record<string, unknown>> {
  const read = await readCommandLine(command, line, environment);
  if (read.kind === 'help') throw new Error('help was asked for');
  return read.options;
}

async function problemsOf(command: Command, line: string[], environment = {}): Promise<string[]> {
  const error = await readCommandLine(command, line, environment).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof UsageError)) throw new Error('nothing was wrong');
  return error.problems.map(
    ({ message, remedy }) => `${saidOf(message, 'en')} | ${remedy === undefined ? '' : saidOf(remedy, 'en')}`,
  );
}

describe('a switch', () => {
  test.each([
    { line: [], is: false },
    { line: ['--skip-hash-check'], is: true },
    { line: ['--skip-hash-check', 'true'], is: true },
    { line: ['--skip-hash-check', 'false'], is: false },
    { line: ['--skip-hash-check=false'], is: false },
    { line: ['--skip-hash-check=true'], is: true },
    { line: ['--skip-hash-check=0'], is: false },
    { line: ['--no-skip-hash-check'], is: false },
    { line: ['--skip-hash-check', '--no-skip-hash-check'], is: false },
    { line: ['--skip-hash-check', 'FALSE', '--plan'], is: false },
  ])('$line is $is', async ({ line, is }) => {
    expect((await optionsOf(restoreCommand, line))['skipHashCheck']).toBe(is);
  });

  test('every switch of every command takes every form', async () => {
    for (const command of COMMANDS) {
      const argument = command.argument?.required === true ? [command.argument.choices?.[0] ?? 'some'] : [];
      for (const { key, name, flag } of flagsOf(command)) {
        if (flag.kind !== 'boolean') continue;
        for (const form of [[`--${name}`, 'false'], [`--${name}=false`], [`--no-${name}`]]) {
          expect((await optionsOf(command, [...argument, ...form]))[key], form.join(' ')).toBe(false);
        }
        for (const form of [[`--${name}`, 'true'], [`--${name}=true`], [`--${name}`]]) {
          expect((await optionsOf(command, [...argument, ...form]))[key], form.join(' ')).toBe(true);
        }
      }
    }
  });

  test('a value behind --no-flag is refused', async () => {
    expect(await problemsOf(restoreCommand, ['--no-plan=false'])).toEqual([
      '--no-plan takes no value, but false was given | Write --no-plan, or --plan=false.',
    ]);
  });
});

describe('a value', () => {
  test('stands behind its flag or behind an equals sign, also one that holds an equals sign', async () => {
    expect((await optionsOf(restoreCommand, ['--initial-cluster', 'm1=http://a:1']))['initialCluster']).toBe(
      'm1=http://a:1',
    );
    expect((await optionsOf(restoreCommand, ['--initial-cluster=m1=http://a:1']))['initialCluster']).toBe(
      'm1=http://a:1',
    );
  });

  test('of a list may be repeated; of anything else the last counts', async () => {
    const options = await optionsOf(snapshotCommand, [
      '--endpoints',
      'a,b',
      '-e',
      'c',
      '--max-backups',
      '3',
      '--max-backups=4',
    ]);
    expect(options['endpoints']).toEqual(['a', 'b', 'c']);
    expect(options['maxBackups']).toBe(4);
  });

  test('is read by the kind of its flag', async () => {
    const options = await optionsOf(snapshotCommand, [
      '--delta-snapshot-period=1m30s',
      '--delta-snapshot-memory-limit=10Mi',
      '--garbage-collection-policy=keepalways',
    ]);
    expect(options).toMatchObject({
      deltaSnapshotPeriod: 90_000,
      deltaSnapshotMemoryLimit: 10 * 1024 * 1024,
      garbageCollectionPolicy: 'KeepAlways',
    });
  });

  test.each([
    { line: ['--revision', 'nine'], says: '--revision is "nine", which is not possible | A whole number is needed.' },
    { line: ['--time', '2026-11-20 06:00'], says: 'the zone is needed' },
    { line: ['--target', '2.3'], says: 'It is one of 3.4, 3.5, 3.6' },
    { line: ['--data-dir', ''], says: 'It must not be empty.' },
    { line: ['--data-dir'], says: '--data-dir needs a value | Write --data-dir <path>' },
    { line: ['--data-dir', '--plan'], says: '--data-dir needs a value' },
    {
      line: ['--revision', '3', '--time', '2026-11-20T06:00:00Z'],
      says: '--revision and --time cannot be given together',
    },
  ])('$line is refused, and it is said what would be right', async ({ line, says }) => {
    expect((await problemsOf(restoreCommand, line)).join()).toContain(says);
  });

  test('that is wrong never hides another mistake', async () => {
    const problems = await problemsOf(restoreCommand, [
      '--revision',
      'nine',
      '--bukket',
      'x',
      '--max-fetchers=many',
      'stray',
    ]);
    expect(problems).toHaveLength(4);
  });
});

describe('spellings of other tools', () => {
  test.each([
    { command: restoreCommand, line: ['--prefix', 'prod'], key: 'clusterName', is: 'prod' },
    { command: restoreCommand, line: ['--store-prefix', 'prod'], key: 'clusterName', is: 'prod' },
    { command: restoreCommand, line: ['--store-container', 'b'], key: 'bucket', is: 'b' },
    {
      command: restoreCommand,
      line: ['-w', 'json'].map((word) => word.replace('-w', '--write-out')),
      key: 'output',
      is: 'json',
    },
    { command: snapshotCommand, line: ['--ca-cert', 'ca.crt'], key: 'cacert', is: 'ca.crt' },
    { command: snapshotCommand, line: ['--cacert=ca.crt'], key: 'cacert', is: 'ca.crt' },
    {
      command: snapshotCommand,
      line: ['--defragmentation-schedule', '0 0 * * *'],
      key: 'defragSchedule',
      is: '0 0 * * *',
    },
    { command: snapshotCommand, line: ['--compress-snapshots', 'true'], key: 'enableCompression', is: true },
  ])('$line is $key', async ({ command, line, key, is }) => {
    expect((await optionsOf(command, line))[key]).toBe(is);
  });

  test('no two flags of a command share a spelling', () => {
    for (const command of COMMANDS) {
      const all = flagsOf(command).flatMap(spellings);
      expect(all.length, command.name).toBe(new Set(all).size);
      expect(all, command.name).not.toContain('--help');
    }
  });

  test('what only an embedded etcd needs is taken, has no effect and is said in one line', async () => {
    const read = await readCommandLine(
      restoreCommand,
      [
        '--max-txn-ops',
        '1024',
        '--auto-compaction-mode=periodic',
        '--embedded-etcd-quota-bytes',
        '8589934592',
        '--data-dir',
        'd',
      ],
      {},
    );
    if (read.kind === 'help') throw new Error('help was asked for');
    expect(read.options).not.toHaveProperty('maxTxnOps');
    expect(read.options['dataDir']).toBe('d');
    expect(read.notes).toHaveLength(3);
    expect(read.notes.join('\n')).toContain('--max-txn-ops is not needed and has no effect');
    expect(read.notes.every((note) => !note.includes('\n'))).toBe(true);
  });

  test("the commands of the seed's README are understood as they stand", async () => {
    const snapshot = await optionsOf(snapshotCommand, [
      ...['--ca-cert', 'ca.crt', '--key', 'server.key', '--cert', 'server.crt', '--endpoints', '192.168.10.51:2379'],
      ...['--insecure-skip-tls-verify', 'false', '--garbage-collection-policy', 'LimitBased'],
    ]);
    expect(snapshot).toMatchObject({
      cacert: 'ca.crt',
      endpoints: ['192.168.10.51:2379'],
      insecureSkipTlsVerify: false,
    });
    expect(await optionsOf(snapshotCommand, [])).toMatchObject({
      schedule: '*/20 * * * *',
      deltaSnapshotPeriod: 10_000,
      garbageCollectionPeriod: 60_000,
      defragSchedule: '0 0 */3 * *',
      maxBackups: 240,
      enableCompression: false,
    });
    const line = ['--bucket', 'data-bak', '--prefix', 'prod-etcd', '--data-dir', '/data/restore-data'];
    expect(await optionsOf(restoreCommand, line)).toMatchObject({
      bucket: 'data-bak',
      clusterName: 'prod-etcd',
      dataDir: '/data/restore-data',
    });
  });
});

describe('names that nobody knows', () => {
  test.each([
    { flag: '--revison', nearest: '--revision' },
    { flag: '--datadir', nearest: '--data-dir' },
    { flag: '--dataDir', nearest: '--data-dir' },
    { flag: '--data_dir', nearest: '--data-dir' },
    { flag: '-data-dir', nearest: '--data-dir' },
    { flag: '--cluster-nam', nearest: '--cluster-name' },
    { flag: '--no-skip-hash-chek', nearest: '--no-skip-hash-check' },
  ])('$flag: did you mean $nearest?', async ({ flag, nearest }) => {
    expect(await problemsOf(restoreCommand, [flag, 'x'])).toEqual([
      expect.stringContaining(`Did you mean ${nearest}?`),
    ]);
  });

  test('a flag of another command names that command', async () => {
    expect(await problemsOf(restoreCommand, ['--max-backups=3'])).toEqual([
      expect.stringContaining('It belongs to etcd-ops snapshot'),
    ]);
  });

  test('a misspelt variable is said and does not stop anything; those of others are passed over in silence', async () => {
    const read = await readCommandLine(restoreCommand, [], {
      ETCD_OPS_BUCKT: 'x',
      ETCD_OPS_NATS_TOKEN_FILE: 'y',
      ETCD_OPS_TOOLS_DIR: 'z',
    });
    if (read.kind === 'help') throw new Error('help was asked for');
    expect(read.notes).toEqual(['The variable ETCD_OPS_BUCKT is not known; did you mean ETCD_OPS_BUCKET?']);
  });

  test('a positional argument is one of its choices', async () => {
    expect(await problemsOf(serviceCommand, ['wacher'])).toEqual([
      expect.stringContaining('There is no name "wacher"'),
    ]);
    expect(await problemsOf(serviceCommand, [])).toEqual([expect.stringContaining('etcd-ops service needs a name')]);
  });
});

describe('the environment', () => {
  test('has a variable for every flag of every command, below the flag and above the default', async () => {
    for (const command of COMMANDS) {
      const argument = command.argument?.required === true ? [command.argument.choices?.[0] ?? 'some'] : [];
      for (const { key, name, flag } of flagsOf(command)) {
        if (flag.kind !== 'value' || flag.choices === undefined) continue;
        const [first, second] = flag.choices;
        const environment = { [variableName(name)]: second };
        expect((await optionsOf(command, argument, environment))[key], name).toBe(second);
        expect((await optionsOf(command, [...argument, `--${name}=${first}`], environment))[key], name).toBe(first);
      }
    }
  });

  test('takes switches, lists and other spellings; an empty variable is none', async () => {
    const environment = {
      ETCD_OPS_ENABLE_COMPRESSION: 'true',
      ETCD_OPS_ENDPOINTS: 'a,b',
      ETCD_OPS_CA_CERT: 'ca.crt',
      ETCD_OPS_BUCKET: '',
    };
    expect(await optionsOf(snapshotCommand, [], environment)).toMatchObject({
      enableCompression: true,
      endpoints: ['a', 'b'],
      cacert: 'ca.crt',
      bucket: 'default.bak',
    });
  });

  test('is named when its value is wrong', async () => {
    expect(await problemsOf(snapshotCommand, [], { ETCD_OPS_MAX_BACKUPS: 'many' })).toEqual([
      'ETCD_OPS_MAX_BACKUPS is "many", which is not possible | A whole number is needed.',
    ]);
  });
});

test('any line of arguments is understood or refused, never a crash', async () => {
  const names = [...flagsByName(flagsOf(snapshotCommand)).keys()].map((name) => `--${name}`);
  const word = fc.oneof(
    fc.constantFrom(...names),
    fc.constantFrom('--', '-', '=', '--=', '-e', 'false', '10s'),
    fc.string(),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(word, { maxLength: 8 }), async (line) => {
      const outcome = await readCommandLine(
        snapshotCommand,
        line.filter((one) => !one.includes('config')),
        {},
      ).catch((error: unknown) => error);
      if (outcome instanceof Error) expect(outcome).toBeInstanceOf(UsageError);
    }),
    { numRuns: 300 },
  );
});
