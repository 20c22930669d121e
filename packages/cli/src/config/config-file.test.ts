import { describe, expect, test } from 'vitest';
import { COMMANDS } from '../commands/command-list.ts';
import { restoreCommand } from '../commands/restore.ts';
import { snapshotCommand } from '../commands/snapshot.ts';
import { flagsOf } from '../options/flag-index.ts';
import { resolveOptions } from '../options/resolve-options.ts';
import { saidOf } from '../options/said-of.ts';
import { UsageError } from '../options/usage-error.ts';
import { type ConfigFile, parseConfigFile } from './config-file.ts';

const SOUND = `
# where everything lives
bucket: /var/backups/etcd
prefix: prod
endpoints: [https://a:2379, https://b:2379]
snapshot:
  max-backups: 48
  enable-compression: yes
  delta-snapshot-period: 5s
restore:
  data-dir: /var/lib/etcd-restored
`;

function parse(source: string, command = snapshotCommand): ConfigFile {
  return parseConfigFile(source, { name: 'etcd-ops.yaml', command, commands: COMMANDS });
}

function optionsOf(source: string, command = snapshotCommand): Record<string, unknown> {
  const { values, problems } = parse(source, command);
  expect(problems).toEqual([]);
  return resolveOptions({ flags: flagsOf(command), given: [], environment: {}, file: values }).options;
}

describe('a configuration file', () => {
  test('holds settings for all commands and for one', () => {
    expect(optionsOf(SOUND)).toMatchObject({
      bucket: '/var/backups/etcd',
      clusterName: 'prod',
      endpoints: ['https://a:2379', 'https://b:2379'],
      maxBackups: 48,
      enableCompression: true,
      deltaSnapshotPeriod: 5_000,
    });
    expect(optionsOf(SOUND, restoreCommand)).toMatchObject({
      bucket: '/var/backups/etcd',
      dataDir: '/var/lib/etcd-restored',
    });
  });

  test('the section of the command wins over the top', () => {
    expect(optionsOf('bucket: a\nsnapshot:\n  bucket: b\n')['bucket']).toBe('b');
    expect(optionsOf('bucket: a\nsnapshot:\n  bucket: b\n', restoreCommand)['bucket']).toBe('a');
  });

  test('a flag of the name of a command is no section', () => {
    expect(optionsOf('snapshot: some-key\n', restoreCommand)['snapshot']).toBe('some-key');
  });

  test('an empty one is one', () => {
    expect(parse('# nothing yet\n')).toEqual({ values: [], problems: [] });
  });

  test('the environment wins over it, and it over the default', () => {
    const { values } = parse('bucket: a\nmax-backups: 3\n');
    const options = resolveOptions({
      flags: flagsOf(snapshotCommand),
      given: [],
      environment: { ETCD_OPS_BUCKET: 'b' },
      file: values,
    }).options;
    expect(options).toMatchObject({ bucket: 'b', maxBackups: 3, schedule: '*/20 * * * *' });
  });

  test('every mistake is told at once, with its line and what to write', () => {
    const { problems } = parse(`
bukket: a
max-backups: many
cluster-name: [a, b]
etcd-password: secret
snapshot:
  dataDir: x
  schedule: a
  schedule: b
bucket:
  deep: 1
`);
    expect(problems.map(({ message, remedy }) => `${saidOf(message, 'en')} | ${saidOf(remedy ?? '', 'en')}`)).toEqual([
      'bukket (etcd-ops.yaml, line 2) is no setting of any command | Did you mean bucket? Keys are the names of flags without the dashes.',
      'max-backups (etcd-ops.yaml, line 3) is "many", which is not possible | A whole number is needed.',
      'cluster-name (etcd-ops.yaml, line 4) has no single value | Write cluster-name: <name>.',
      'etcd-password (etcd-ops.yaml, line 5) cannot stand in a file | Use etcd-password-file, a file that only the owner can read.',
      'dataDir (etcd-ops.yaml, line 7) is no setting of etcd-ops snapshot | Keys are the names of flags without the dashes.',
      'schedule is set twice, at etcd-ops.yaml, line 8 and etcd-ops.yaml, line 9 | Keep one of them.',
      'bucket (etcd-ops.yaml, line 10) has no single value | Write bucket: <path>.',
    ]);
  });

  test.each([
    { what: 'broken YAML', source: 'a: [1\nb: 2\n', says: 'is no YAML' },
    { what: 'a list', source: '- a\n- b\n', says: 'holds no settings' },
    { what: 'a text', source: 'just words\n', says: 'holds no settings' },
  ])('$what is refused', ({ source, says }) => {
    expect(() => parse(source)).toThrow(UsageError);
    expect(() => parse(source)).toThrow(says);
  });
});
