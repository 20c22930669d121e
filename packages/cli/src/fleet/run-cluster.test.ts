import { expect, test } from 'vitest';
import { clusterCommand } from '../commands/cluster.ts';
import { readCommandLine } from '../options/command-line.ts';
import { runCluster, type ClusterAction, type ClusterCommandOptions } from './run-cluster.ts';

/** What is wrong with the words is told before NATS is asked; there is none. */
async function cluster(action: ClusterAction, ...line: string[]): Promise<void> {
  const read = await readCommandLine(clusterCommand, [action, ...line, '--state-dir', '/nonexistent'], {});
  if (read.kind === 'help') throw new Error('help was asked for');
  await runCluster(read.options as unknown as ClusterCommandOptions, action);
}

test('a cluster is named', async () => {
  for (const action of ['add', 'edit', 'remove', 'show'] as const) {
    await expect(cluster(action)).rejects.toThrow(`etcd-ops cluster ${action} needs a cluster`);
  }
});

test('flags that are wrong are told together, by their names', async () => {
  const wrong = cluster('add', '--cluster-name', 'prod', '--schedule', '61 * * * *', '--defrag-schedule', '@sometimes');
  await expect(wrong).rejects.toThrow(/--schedule: "61 .*; --defrag-schedule: "@sometimes"/);
  await expect(cluster('add', '--cluster-name', 'prod', '--label', 'env')).rejects.toThrow(/env is no key=value/);
  await expect(cluster('add', '--cluster-name', 'prod', '--label', '!=x')).rejects.toThrow(/labels/);
});

test('a password has to be a file, and one that is written out comes into no message', async () => {
  const refused: unknown = await cluster('add', '--cluster-name', 'prod', '--etcd-username', 'root:hunter2').catch(
    (error: unknown) => error,
  );
  expect(refused).toMatchObject({ code: 'CONFIG_INVALID', message: 'The user root has no password' });
  expect(JSON.stringify(refused)).not.toContain('hunter2');
  await expect(readCommandLine(clusterCommand, ['add', '--etcd-password', 'x'], {})).rejects.toThrow('etcd-password');
});

test('sound words go on to NATS', async () => {
  const asked = cluster('add', '--cluster-name', 'prod', '--endpoints', '10.0.0.1:2379');
  await expect(asked).rejects.toMatchObject({ code: 'BUS_UNREACHABLE' });
  await expect(cluster('list')).rejects.toMatchObject({ code: 'BUS_UNREACHABLE' });
});
