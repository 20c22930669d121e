import { describe, expect, test } from 'vitest';
import { restoreCommand } from '../commands/restore.ts';
import { snapshotCommand } from '../commands/snapshot.ts';
import { readCommandLine } from './command-line.ts';
import type { Command } from './define-command.ts';
import { saidOf } from './said-of.ts';
import { UsageError } from './usage-error.ts';

async function optionsOf(command: Command, line: string, environment = {}): Promise<Record<string, unknown>> {
  const read = await readCommandLine(command, line.split(' '), environment);
  if (read.kind === 'help') throw new Error('help was asked for');
  return read.options;
}

async function problemsOf(command: Command, line: string, environment = {}): Promise<string[]> {
  try {
    await readCommandLine(command, line.split(' '), environment);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return error.problems.map(({ message, remedy }) => `${saidOf(message, 'en')} | ${saidOf(remedy!, 'en')}`);
  }
  throw new Error('nothing was wrong');
}

describe('a key that was deleted, with all that begin like it', () => {
  test.each([
    '--before-delete /registry/pods/ --prefix',
    '--prefix --before-delete /registry/pods/',
    '--before-delete=/registry/pods/ --prefix=true',
    '--before-delete /registry/pods/ --prefix true --cluster-name prod',
    '--before-delete /registry/pods/ --prefix --cluster-name prod',
  ])('is meant by %s', async (line) => {
    const options = await optionsOf(restoreCommand, line);
    expect(options).toMatchObject({ beforeDeletePrefix: '/registry/pods/' });
    expect(options).not.toHaveProperty('beforeDelete');
    expect(options['clusterName']).toBe(line.includes('prod') ? 'prod' : 'etcd.bak');
  });

  test('is not meant where the switch is off, or stands for itself', async () => {
    expect(await optionsOf(restoreCommand, '--before-delete a --prefix=false')).toMatchObject({ beforeDelete: 'a' });
    expect(await optionsOf(restoreCommand, '--before-delete-prefix a --prefix prod')).toMatchObject({
      ...{ beforeDeletePrefix: 'a', clusterName: 'prod' },
    });
  });

  test('a value behind the switch could be either: it is refused, and both are named', async () => {
    for (const line of ['--before-delete a --prefix /registry/', '--before-delete a --prefix=/registry/']) {
      expect(await problemsOf(restoreCommand, `${line} --cluster-name prod`)).toEqual([
        '--prefix beside --before-delete takes no value, but /registry/ was given | For all keys that begin so, write --before-delete-prefix /registry/; otherwise --cluster-name /registry/.',
      ]);
    }
  });

  test('excludes every other moment, also when it is spelt with the switch', async () => {
    expect((await problemsOf(restoreCommand, '--before-delete a --prefix --revision 3')).join()).toContain(
      'cannot be given together',
    );
    expect((await problemsOf(restoreCommand, '--before-delete a --before-delete-prefix b --prefix')).join()).toContain(
      'the same option with two values',
    );
  });
});

describe('one option under two spellings', () => {
  test.each([
    ['--cluster-name prod --prefix test', '--cluster-name "prod" and --prefix "test"'],
    ['--store-prefix prod --prefix test', '--store-prefix "prod" and --prefix "test"'],
    ['-o json --output table', '-o "json" and --output "table"'],
    ['--plan --dry-run=false', '--plan "true" and --dry-run "false"'],
    ['--no-plan --dry-run', '--no-plan "false" and --dry-run "true"'],
  ])('%s is refused', async (line, both) => {
    expect(await problemsOf(restoreCommand, line)).toEqual([
      expect.stringContaining(`${both} are the same option with two values | Keep one of them; its name is --`),
    ]);
  });

  test('is taken where both say the same; and the last of one spelling counts, so that a script can be overridden', async () => {
    expect(await optionsOf(restoreCommand, '--cluster-name prod --prefix prod')).toMatchObject({ clusterName: 'prod' });
    expect(await optionsOf(restoreCommand, '--plan --dry-run=yes')).toMatchObject({ plan: true });
    expect(await optionsOf(restoreCommand, '--prefix a --prefix b')).toMatchObject({ clusterName: 'b' });
    expect(await optionsOf(restoreCommand, '--plan --no-plan')).toMatchObject({ plan: false });
    expect(await optionsOf(snapshotCommand, '--endpoints a -e b')).toMatchObject({ endpoints: ['a', 'b'] });
  });

  test('is refused in the environment, too, unless the line decides', async () => {
    const environment = { ETCD_OPS_CLUSTER_NAME: 'prod', ETCD_OPS_PREFIX: 'test' };
    expect(await problemsOf(restoreCommand, '--plan', environment)).toEqual([
      expect.stringContaining('ETCD_OPS_PREFIX "test" and ETCD_OPS_CLUSTER_NAME "prod" are the same option'),
    ]);
    expect(await optionsOf(restoreCommand, '--prefix other', environment)).toMatchObject({ clusterName: 'other' });
  });
});

test('a number that is too large is told the limit; the limit itself is possible', async () => {
  expect(await optionsOf(restoreCommand, '--bump-revision 9007199254740991')).toMatchObject({
    bumpRevision: Number.MAX_SAFE_INTEGER,
  });
  expect(await problemsOf(restoreCommand, '--bump-revision 9007199254740992')).toEqual([
    '--bump-revision is "9007199254740992", which is not possible | The largest number possible is 9007199254740991.',
  ]);
});
