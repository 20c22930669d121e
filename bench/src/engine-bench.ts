/**
 * The engine against the official programs, `cp` and `sha256sum`, side by side in one run:
 *
 *     node bench/src/engine-bench.ts [--runs 5] [--shapes 100mb,1gb,peer,rows300] [--jobs restore,check,...] [--scratch DIR] [--out FILE]
 *
 * Contestants of a job take turns, so that a noisy neighbour meets all of them. Prints one table of medians and ratios, and
 * writes every single run to the file. Needs GNU time; official programs are looked for below `.tools/deb`, gardener's
 * `etcdbrctl` below `.tools/built`, and both on PATH.
 */
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, loadavg, tmpdir, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { serviceEnvironment, SERVICE_NODE_FLAGS } from '@etcd-ops/local-servers';
import { bundledScript } from './bundle.ts';
import { makeData, SHAPES, type BenchData, type ShapeName } from './engine-data.ts';
import { bytesOf, chainJobs, fullJobs, madeDirectory, type Contestant, type Job, type Tools } from './engine-jobs.ts';
import { findBuilt, findOfficial, LivingEtcd } from './living-etcd.ts';
import { median, timedRun, type TimedRun } from './timed-run.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '5' },
    /** Words that a job's name begins with; all jobs unless told. */
    jobs: { type: 'string', default: '' },
    shapes: { type: 'string', default: '100mb,1gb,peer,rows300' },
    scratch: { type: 'string', default: tmpdir() },
    out: { type: 'string' },
  },
});
const root = join(import.meta.dirname, '..', '..');
const date = new Date().toISOString().slice(0, 10);
const out = values.out ?? join(root, 'bench', 'results', `engine-${date}.txt`);
const lines: string[] = [];

const scratch = await mkdtemp(join(values.scratch, 'etcd-ops-bench-'));
try {
  const tools: Tools = {
    node: process.execPath,
    root,
    scratch,
    etcdutl35: findOfficial(root, 'etcdutl', '3.5'),
    etcdctl34: findOfficial(root, 'etcdctl', '3.4'),
    etcdctl35: findOfficial(root, 'etcdctl', '3.5'),
    etcdbrctl: findBuilt(root, 'etcdbrctl'),
  };
  // The scripts of this folder get what bin/etcd-ops gives itself.
  process.env['NODE_COMPILE_CACHE'] ??= join(root, '.tools', 'compile-cache');
  const [cpu] = cpus();
  say(`${date}: ${cpus().length} x ${cpu?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB, node ${process.version}`);
  const rows: string[][] = [];
  for (const name of values.shapes.split(',')) {
    const data = await makeData(scratch, SHAPES[name as ShapeName]);
    say(`shape ${data.shape.name}: full ${data.fullBytes} B, deltas ${data.deltaBytes} B, revision ${data.revision}`);
    const jobs = data.deltaBytes > 0 ? chainJobs(data, tools) : fullJobs(data, tools);
    for (const job of jobs) rows.push(...(await runJob(job, data)));
    if (data.deltaBytes === 0) rows.push(...(await runLivingJobs(data, tools)));
    await rm(data.bucket, { recursive: true });
    await rm(madeDirectory(tools), { recursive: true, force: true });
  }
  say('');
  say(
    table(
      ['job', 'shape', 'who', 'wall ms', 'min..max', 'CPU ms', 'RSS MB', 'MB/s', 'wall ratio', 'CPU ratio', 'result'],
      rows,
    ),
  );
} finally {
  await rm(scratch, { recursive: true, force: true });
  await mkdir(dirname(out), { recursive: true });
  await writeFile(out, `${lines.join('\n')}\n`);
}

/** Saving, and HashKV as the server answers it, need a server: one that booted from our own restore. */
async function runLivingJobs(data: BenchData, tools: Tools): Promise<string[][]> {
  if (tools.etcdctl35 === undefined || !(isWanted('save') || isWanted('hashkv, asked'))) return [];
  const dir = join(scratch, 'living');
  await timedRun([
    join(root, 'bin', 'etcd-ops'),
    'restore',
    '--bucket',
    data.bucket,
    '--cluster-name',
    data.cluster,
    '--data-dir',
    dir,
  ]);
  await using etcd = await LivingEtcd.start(root, dir);
  const copy = join(scratch, 'saved.db');
  const stream = await bundledScript('engine-save.ts', join(scratch, 'bundle'));
  const prepare = async (): Promise<void> => rm(copy, { force: true });
  const endpoint = etcd.endpoint;
  const etcdctl = [tools.etcdctl35, '--endpoints', endpoint];
  const jobs: Job[] = [
    {
      name: 'save',
      shape: data.shape.name,
      contestants: [
        {
          name: 'etcd-ops',
          command: [tools.node, ...SERVICE_NODE_FLAGS, stream, endpoint, copy],
          env: serviceEnvironment(),
          prepare,
        },
        { name: 'etcdctl 3.5', command: [...etcdctl, 'snapshot', 'save', copy], prepare },
      ],
    },
    {
      name: 'hashkv, asked of etcd',
      shape: data.shape.name,
      contestants: [{ name: 'etcd 3.5', command: [...etcdctl, '--command-timeout', '60s', 'endpoint', 'hashkv'] }],
    },
  ];
  const rows: string[][] = [];
  for (const job of jobs) rows.push(...(await runJob(job, data)));
  await etcd.stop();
  await rm(dir, { recursive: true });
  return rows;
}

/** Each begins a round in its turn: what the one before leaves behind, in caches and in free memory, is part of what is measured. */
function rotated(count: number, by: number): number[] {
  return Array.from({ length: count }, (_, index) => (index + by) % count);
}

/**
 * A virtual machine gives memory that lies free for a second or two back to its host, and whoever needs it next pays for it: up to a second
 * of system time for a file of 1 GB. So everybody finds as much memory as the data take just freed.
 */
async function touchMemory({ fullPath }: BenchData): Promise<void> {
  const touched = join(scratch, 'touched');
  await copyFile(fullPath, touched);
  await rm(touched);
}

async function runJob(job: Job, data: BenchData): Promise<string[][]> {
  if (!isWanted(job.name)) return [];
  const runs = job.contestants.map((): TimedRun[] => []);
  const sizes = new Map<Contestant, number>();
  for (let round = 0; round <= Number(values.runs); round++) {
    for (const index of rotated(job.contestants.length, round)) {
      const contestant = job.contestants[index]!;
      await contestant.prepare?.();
      await touchMemory(data);
      const run = await timedRun(contestant.command, contestant.env, contestant.cwd);
      // The first round warms the page cache and the compile cache.
      if (round > 0) runs[index]!.push(run);
      if (contestant.resultPath !== undefined) sizes.set(contestant, await bytesOf(contestant.resultPath));
      say(
        [job.name, job.shape, contestant.name, round === 0 ? 'warm-up' : `run ${round}`].join(' | ') +
          ` | ${run.wallMs.toFixed(0)} ms, CPU ${run.cpuMs.toFixed(0)} ms, ${run.rssMb.toFixed(0)} MB, load ${loadavg()[0]?.toFixed(1)} ${engineFacts(run.stdout)}`,
      );
    }
  }
  for (const contestant of job.contestants) await contestant.prepare?.();
  const ours = median(runs[0]!.map(({ wallMs }) => wallMs));
  const oursCpu = median(runs[0]!.map(({ cpuMs }) => cpuMs));
  return job.contestants.map((contestant, index) => {
    const cpu = median(runs[index]!.map(({ cpuMs }) => cpuMs));
    const walls = runs[index]!.map(({ wallMs }) => wallMs);
    const wall = median(walls);
    const size = sizes.get(contestant);
    return [
      job.name,
      job.shape,
      contestant.name,
      wall.toFixed(0),
      `${Math.min(...walls).toFixed(0)}..${Math.max(...walls).toFixed(0)}`,
      cpu.toFixed(0),
      Math.max(...runs[index]!.map(({ rssMb }) => rssMb)).toFixed(0),
      ((data.fullBytes + data.deltaBytes) / wall / 1000).toFixed(0),
      (ours / wall).toFixed(2),
      (oursCpu / cpu).toFixed(2),
      size === undefined ? '' : `${size} B`,
    ];
  });
}

function isWanted(job: string): boolean {
  return values.jobs.split(',').some((word) => job.startsWith(word));
}

/** What our own scripts say about themselves, on one line. */
function engineFacts(stdout: string): string {
  return stdout.startsWith('{') ? stdout.trim() : '';
}

function table(head: readonly string[], rows: readonly string[][]): string {
  const widths = head.map((cell, column) => Math.max(cell.length, ...rows.map((row) => row[column]!.length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`;
  return [line(head), `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...rows.map(line)].join('\n');
}

function say(line: string): void {
  lines.push(line);
  console.log(line);
}
