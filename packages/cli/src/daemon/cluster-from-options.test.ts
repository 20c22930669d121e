import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { snapshotCommand } from '../commands/snapshot.ts';
import { readCommandLine } from '../options/command-line.ts';
import { clusterFromOptions, type ClusterOptions } from './cluster-from-options.ts';

async function clusterOf(...line: string[]): Promise<ReturnType<typeof clusterFromOptions>> {
  const read = await readCommandLine(snapshotCommand, line, {});
  if (read.kind === 'help') throw new Error('help was asked for');
  return clusterFromOptions(read.options as unknown as ClusterOptions);
}

test('without a flag, everything is as the README of the seed tool has it', async () => {
  expect(await clusterOf()).toMatchObject({
    name: 'etcd.bak',
    endpoints: ['127.0.0.1:2379'],
    store: { provider: 'Local', bucket: resolve('default.bak') },
    snapshots: { schedule: '*/20 * * * *', codec: 'none', deltaPeriodMs: 10_000, deltaBytesMax: 10_485_760 },
    retention: { maxBackups: 240, gcPeriodMs: 60_000, graceMs: 900_000 },
    defrag: { enabled: true, schedule: '0 0 */3 * *' },
    timeouts: { connectMs: 30_000, snapshotMs: 900_000, defragMs: 480_000 },
    timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
  });
});

test('schedules are checked before anything is started, by the name of their flag', async () => {
  expect((await clusterOf('--schedule', '@every 30s', '--timezone', 'Asia/Shanghai')).timezone).toBe('Asia/Shanghai');
  const wrong = clusterOf('--schedule', '61 * * * *', '--defrag-schedule', '@sometimes');
  await expect(wrong).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringMatching(/--schedule: "61 .*; --defrag-schedule: "@sometimes"/),
  });
  await expect(clusterOf('--timezone', 'Mars/Olympus')).rejects.toThrow(/--timezone: .*Mars/);
  await expect(clusterOf('--max-backups', '0')).rejects.toThrow(/--max-backups: /);
});

test('what is kept, by flags; a policy of rules alone has one', async () => {
  const { retention } = await clusterOf(
    ...['--keep-daily', '7', '--keep-within=36h', '--point-in-time-window', '2d', '--garbage-collection-grace', '0'],
  );
  expect(retention).toEqual({
    ...{ maxBackups: 240, keepDaily: 7, keepWithinMs: 129_600_000, pointInTimeWindowMs: 172_800_000 },
    ...{ gcPeriodMs: 60_000, graceMs: 0 },
  });
  // The name that etcd-backup-restore has for it.
  expect((await clusterOf('--delta-snapshot-retention-period', '24h')).retention).toMatchObject({
    pointInTimeWindowMs: 86_400_000,
  });
  await expect(clusterOf('--garbage-collection-policy', 'keeprules')).rejects.toThrow(
    /--garbage-collection-policy: KeepRules needs a rule/,
  );
});

test('without insecure transport nothing goes over the wire in plain text', async () => {
  const endpoints = ['--endpoints', 'a:2379,https://b:2379'];
  expect((await clusterOf(...endpoints)).endpoints).toEqual(['a:2379', 'https://b:2379']);
  expect((await clusterOf(...endpoints, '--insecure-transport')).endpoints).toEqual(['a:2379', 'https://b:2379']);
  for (const no of [['--insecure-transport', 'false'], ['--no-insecure-transport']]) {
    expect((await clusterOf(...endpoints, ...no)).endpoints).toEqual(['https://a:2379', 'https://b:2379']);
  }
  await expect(clusterOf('--endpoints', 'http://a:1', '--no-insecure-transport')).rejects.toMatchObject({
    code: 'USAGE',
    message: expect.stringContaining('http://a:1'),
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
