import { expect, test } from 'vitest';
import { snapshotCommand } from '../commands/snapshot.ts';
import { withoutSecrets } from './hide-secrets.ts';

test.each([
  [
    ['--user', 'root:hunter2', '--once'],
    ['--user', 'root:********', '--once'],
  ],
  [['--etcd-username=root:hunter2'], ['--etcd-username=root:********']],
  [
    ['--password', 'hunter2'],
    ['--password', '********'],
  ],
  [
    ['--etcd-password=hunter2', '--bucket', 'b'],
    ['--etcd-password=********', '--bucket', 'b'],
  ],
])('%j is shown as %j', (given, shown) => {
  expect(withoutSecrets(given, snapshotCommand)).toEqual(shown);
});

test.each([[['--user', 'root']], [['--endpoints', 'http://a:1', '--etcd-password-file', 'f']], [['--password']]])(
  'there is nothing to hide in %j',
  (given) => {
    expect(withoutSecrets(given, snapshotCommand)).toBeUndefined();
  },
);
