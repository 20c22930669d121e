/**
 * Lists a repository of 100,000 objects, at S3 and in a folder: the whole command, what services do (an inventory), the listing alone, and the
 * plan of retention; against the SDK, a page after the other, and against Node's own walk. All of a round take turns, each in a process of its
 * own; the server answers out of memory in another one, each page after --page-ms, as one over a network does.
 *
 *     node bench/src/listing-bench.ts [--objects 100000] [--rounds 3] [--page-ms 0]
 */
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import type { StoreSpec } from '@etcd-ops/core';
import type { Way } from './listing/lister.ts';
import { LISTED_CLUSTER, repositoryObjects } from './listing/objects.ts';
import { AskedProcess } from './scale/asked-process.ts';
import { median, timedRun } from './timed-run.ts';

interface Listed {
  wallMs: number;
  cpuMs: number;
  objects: number;
}

const { values } = parseArgs({
  options: {
    objects: { type: 'string', default: '100000' },
    rounds: { type: 'string', default: '3' },
    'page-ms': { type: 'string', default: '0' },
    scratch: { type: 'string', default: tmpdir() },
  },
});
const root = join(import.meta.dirname, '..', '..');
const [accessKeyId, secretAccessKey, bucket] = ['AKLISTING', 'a-secret-of-the-listing', 'backups'];
const env = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
const scratch = await mkdtemp(join(values.scratch, 'etcd-ops-listing-'));
try {
  await using server = await AskedProcess.start<object, { endpoint: string }>(
    join(import.meta.dirname, 'listing', 'server.ts'),
    [bucket, accessKeyId, secretAccessKey, values.objects, values['page-ms']],
  );
  const { endpoint } = await server.ask({});
  const s3: StoreSpec = { provider: 'S3', bucket, endpoint, region: 'us-east-1' };
  const local: StoreSpec = { provider: 'Local', bucket: join(scratch, 'store') };
  await writeLocal(local.bucket);
  const contestants: [string, () => Promise<Listed>][] = [
    ['S3, the SDK alone', async () => await listed('sdk', s3)],
    ['S3, listing', async () => await listed('list', s3)],
    ['S3, inventory', async () => await listed('inventory', s3)],
    ['S3, `etcd-ops list`', async () => await command(s3, endpoint)],
    ['Local, Node alone', async () => await listed('walk', local)],
    ['Local, listing', async () => await listed('list', local)],
    ['Local, inventory', async () => await listed('inventory', local)],
    ['Local, `etcd-ops list`', async () => await command(local)],
    ['plan of retention', async () => await listed('plan', local)],
  ];
  const runs = contestants.map((): Listed[] => []);
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const [index, [, run]] of contestants.entries()) runs[index]!.push(await run());
  }
  console.log(`${values.objects} objects, ${values['page-ms']} ms a page, load ${loadavg()[0]?.toFixed(1)}`);
  for (const [index, [name]] of contestants.entries()) {
    const all = runs[index]!;
    const wall = median(all.map(({ wallMs }) => wallMs)).toFixed(0);
    const cpu = median(all.map(({ cpuMs }) => cpuMs)).toFixed(0);
    console.log(
      `${name.padEnd(24)} wall ${wall.padStart(6)} ms, CPU ${cpu.padStart(6)} ms, ${all[0]!.objects} objects`,
    );
  }
} finally {
  await rm(scratch, { recursive: true, force: true });
}

async function writeLocal(directory: string): Promise<void> {
  for (const { key, body } of repositoryObjects(Number(values.objects))) {
    const path = join(directory, key);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, body);
  }
}

async function listed(way: Way, spec: StoreSpec): Promise<Listed> {
  const path = join(import.meta.dirname, 'listing', 'lister.ts');
  const child = spawn(process.execPath, [path, way, JSON.stringify(spec)], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return JSON.parse(await text(child.stdout)) as Listed;
}

async function command(spec: StoreSpec, endpoint?: string): Promise<Listed> {
  const args = ['list', '--storage-provider', spec.provider, '--bucket', spec.bucket, '--cluster-name', LISTED_CLUSTER];
  const at = endpoint === undefined ? [] : ['--store-endpoint', endpoint, '--store-region', 'us-east-1'];
  const { wallMs, cpuMs, stdout } = await timedRun([join(root, 'bin', 'etcd-ops'), ...args, ...at], env);
  const [, fulls = '', deltas = ''] = /([\d,]+) fulls and ([\d,]+) deltas/.exec(stdout) ?? [];
  const [full, delta] = [fulls, deltas].map((count) => Number(count.replaceAll(',', '')));
  return { wallMs, cpuMs, objects: 2 * full! + delta! + 1 };
}
