import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { snapshotCommand } from '../commands/snapshot.ts';
import { readCommandLine } from '../options/command-line.ts';
import { clusterFromOptions, type SnapshotOptions } from './run-snapshot.ts';

async function clusterOf(...line: string[]): Promise<ReturnType<typeof clusterFromOptions>> {
  const read = await readCommandLine(snapshotCommand, line, {});
  if (read.kind === 'help') throw new Error('help was asked for');
  return clusterFromOptions(read.options as unknown as SnapshotOptions);
}

test('without a flag, everything is as the README of the seed tool has it', async () => {
  expect(await clusterOf()).toMatchObject({
    name: 'etcd.bak',
    endpoints: ['127.0.0.1:2379'],
    store: { provider: 'Local', bucket: resolve('default.bak') },
    snapshots: { schedule: '*/20 * * * *', codec: 'none', deltaPeriodMs: 10_000, deltaBytesMax: 10_485_760 },
    retention: { policy: 'LimitBased', maxBackups: 240, gcPeriodMs: 60_000, deltaRetention: 'with-base' },
    defrag: { enabled: true, schedule: '0 0 */3 * *' },
    timeouts: { connectMs: 30_000, snapshotMs: 900_000, defragMs: 480_000 },
  });
});

test('compression is off unless it is enabled, and then gzip unless told', async () => {
  expect((await clusterOf('--compression-policy', 'zlib')).snapshots.codec).toBe('none');
  expect((await clusterOf('--enable-compression', 'true')).snapshots.codec).toBe('gzip');
  expect((await clusterOf('--enable-compression', '--compression-policy', 'zlib')).snapshots.codec).toBe('zlib');
});

test('one user serves everything, or a second one has the role root', async () => {
  const reader = ['--etcd-username', 'reader', '--etcd-password-file', '/secrets/reader'];
  const root = ['--maintenance-username', 'root', '--maintenance-password-file', '/secrets/root'];
  const alone = await clusterOf(...reader);
  expect(alone.auth).toEqual({ username: 'reader', passwordFile: '/secrets/reader' });
  expect(alone.maintenanceAuth).toBeUndefined();
  expect((await clusterOf(...reader, ...root)).maintenanceAuth).toEqual({
    username: 'root',
    passwordFile: '/secrets/root',
  });
  await expect(clusterOf('--maintenance-username', 'root')).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    remedy: expect.stringContaining('--maintenance-password-file'),
  });
});
