/**
 * What a full snapshot costs from etcd to the store, whole processes side by side:
 *
 *     node bench/src/store-bench.ts [--runs 5] [--shape 1gb] [--jobs disk,s3] [--endpoint URL] [--scratch DIR] [--out FILE]
 *
 * `disk` holds the product and its stream alone against `etcdctl snapshot save`; `s3` holds it against saving, compressing and uploading
 * one after the other. Contestants of a job take turns. The etcd is started on data that is made for it, unless `--endpoint` names one.
 * Needs GNU time, etcdctl 3.5 and, for `s3`, versitygw.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, loadavg, tmpdir, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { findVersitygw, serviceEnvironment, SERVICE_NODE_FLAGS, startVersitygw } from '@etcd-ops/local-servers';
import { bundledScript } from './bundle.ts';
import { makeData, SHAPES, type ShapeName } from './engine-data.ts';
import { findOfficial, LivingEtcd } from './living-etcd.ts';
import { median, timedRun, type TimedRun } from './timed-run.ts';

interface Contestant {
  name: string;
  /** One after the other; the cost is that of all of them. */
  commands: readonly (readonly string[])[];
}

interface Job {
  name: string;
  /** The last one is what the others are compared with. */
  contestants: readonly Contestant[];
  env: NodeJS.ProcessEnv;
}

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '5' },
    shape: { type: 'string', default: '1gb' },
    jobs: { type: 'string', default: 'disk,s3' },
    endpoint: { type: 'string' },
    scratch: { type: 'string', default: tmpdir() },
    out: { type: 'string' },
  },
});
const BUCKET = 'bench';
const root = join(import.meta.dirname, '..', '..');
const lines: string[] = [];
const scratch = await mkdtemp(join(values.scratch, 'etcd-ops-bench-'));
const streamScript = await bundledScript('engine-save.ts', join(scratch, 'bundle'));
const [saved, packed, bucket] = [join(scratch, 'saved.db'), join(scratch, 'saved.zst'), join(scratch, 'bucket')];
// The scripts of this folder get what bin/etcd-ops gives itself.
process.env['NODE_COMPILE_CACHE'] ??= join(root, '.tools', 'compile-cache');
try {
  const [cpu] = cpus();
  const date = new Date().toISOString().slice(0, 10);
  say(`${date}: ${cpus().length} x ${cpu?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB, node ${process.version}`);
  await using etcd = values.endpoint === undefined ? await startEtcd() : undefined;
  const endpoint = etcd?.endpoint ?? values.endpoint!;
  const jobs = values.jobs.split(',');
  if (jobs.includes('disk')) await runJob(diskJob(endpoint));
  if (jobs.includes('s3')) await runS3(endpoint);
} finally {
  await rm(scratch, { recursive: true, force: true });
  if (values.out !== undefined) {
    await mkdir(dirname(values.out), { recursive: true });
    await writeFile(values.out, `${lines.join('\n')}\n`);
  }
}

async function startEtcd(): Promise<LivingEtcd> {
  const data = await makeData(scratch, SHAPES[values.shape as ShapeName]);
  const dir = join(scratch, 'living');
  const from = ['--bucket', data.bucket, '--cluster-name', data.cluster];
  await timedRun([join(root, 'bin', 'etcd-ops'), 'restore', ...from, '--data-dir', dir]);
  await rm(data.bucket, { recursive: true });
  say(`shape ${data.shape.name}: ${data.fullBytes} B`);
  return await LivingEtcd.start(root, dir);
}

function diskJob(endpoint: string): Job {
  const local = ['--bucket', bucket];
  return {
    name: 'to disk',
    env: serviceEnvironment(),
    contestants: [
      {
        name: 'the stream alone',
        commands: [[process.execPath, ...SERVICE_NODE_FLAGS, streamScript, endpoint, saved]],
      },
      { name: 'snapshot --once', commands: [once(endpoint, local)] },
      { name: 'snapshot --once, gzip', commands: [once(endpoint, [...local, ...codec('gzip')])] },
      { name: 'snapshot --once, zstd', commands: [once(endpoint, [...local, ...codec('zstd')])] },
      { name: 'etcdctl snapshot save', commands: [save(endpoint)] },
    ],
  };
}

async function runS3(endpoint: string): Promise<void> {
  if (findVersitygw() === undefined) throw new Error('no versitygw');
  await using s3 = await startVersitygw([BUCKET]);
  const store = ['--storage-provider', 'S3', '--store-endpoint', s3.endpoint, '--store-region', 'us-east-1'];
  const target = ['--bucket', BUCKET, '--state-dir', join(scratch, 'state')];
  await runJob({
    name: 'to S3',
    env: {
      AWS_ACCESS_KEY_ID: s3.accessKeyId,
      AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
    },
    contestants: [
      { name: 'snapshot --once, zstd', commands: [once(endpoint, [...store, ...target, ...codec('zstd')])] },
      {
        name: 'save, zstd -1, SDK',
        commands: [
          save(endpoint),
          [...script('store-baseline.ts'), 'compress', saved, packed],
          [...script('store-baseline.ts'), 'upload', packed, s3.endpoint, BUCKET, 'baseline.zst'],
        ],
      },
    ],
  });
}

function once(endpoint: string, options: readonly string[]): string[] {
  const command = [join(root, 'bin', 'etcd-ops'), 'snapshot', '--once', '--endpoints', endpoint];
  return [...command, '--cluster-name', BUCKET, ...options];
}

function codec(name: string): string[] {
  return ['--enable-compression', '--compression-policy', name];
}

function save(endpoint: string): string[] {
  const etcdctl = findOfficial(root, 'etcdctl', '3.5');
  if (etcdctl === undefined) throw new Error('no etcdctl 3.5');
  return [etcdctl, '--endpoints', endpoint, 'snapshot', 'save', saved];
}

function script(name: string, flags: readonly string[] = []): string[] {
  return [process.execPath, ...flags, join(import.meta.dirname, name)];
}

async function runJob(job: Job): Promise<void> {
  const runs = job.contestants.map((): TimedRun[] => []);
  for (let round = 0; round <= Number(values.runs); round++) {
    for (const [index, contestant] of job.contestants.entries()) {
      for (const path of [saved, packed, bucket, join(scratch, 'state')]) {
        await rm(path, { recursive: true, force: true });
      }
      const steps: TimedRun[] = [];
      for (const command of contestant.commands) steps.push(await timedRun(command, job.env));
      const run = sumOf(steps);
      // The first round warms the page cache and the compile cache.
      if (round > 0) runs[index]!.push(run);
      const each = steps.length === 1 ? '' : ` (${steps.map(({ wallMs }) => wallMs.toFixed(0)).join(' + ')})`;
      say(
        [job.name, contestant.name, round === 0 ? 'warm-up' : `run ${round}`].join(' | ') +
          ` | ${run.wallMs.toFixed(0)} ms${each}, CPU ${run.cpuMs.toFixed(0)} ms, ${run.rssMb.toFixed(0)} MB, load ${loadavg()[0]?.toFixed(1)}`,
      );
    }
  }
  const middle = (index: number, fact: 'wallMs' | 'cpuMs'): number => median(runs[index]!.map((run) => run[fact]));
  const last = job.contestants.length - 1;
  say(`\n${job.name} | wall ms | CPU ms | RSS MB | wall ratio | CPU ratio`);
  for (const [index, { name }] of job.contestants.entries()) {
    const [wall, cpu] = [middle(index, 'wallMs'), middle(index, 'cpuMs')];
    const rss = Math.max(...runs[index]!.map(({ rssMb }) => rssMb));
    const ratios = [wall / middle(last, 'wallMs'), cpu / middle(last, 'cpuMs')];
    say([name, wall.toFixed(0), cpu.toFixed(0), rss.toFixed(0), ...ratios.map((one) => one.toFixed(2))].join(' | '));
  }
  say('');
}

/** Processes that run one after the other. */
function sumOf(steps: readonly TimedRun[]): TimedRun {
  return steps.reduce((sum, step) => ({
    wallMs: sum.wallMs + step.wallMs,
    cpuMs: sum.cpuMs + step.cpuMs,
    rssMb: Math.max(sum.rssMb, step.rssMb),
    stdout: '',
  }));
}

function say(line: string): void {
  lines.push(line);
  console.log(line);
}
