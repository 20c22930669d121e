import { existsSync } from 'node:fs';
import { copyFile, mkdir, readdir, rm, stat, truncate } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { BenchData } from './engine-data.ts';
import { timedRun } from './timed-run.ts';

/** Who does a job, and how. All contestants of one job start from the same files and leave the same kind of result. */
export interface Contestant {
  name: string;
  command: readonly string[];
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** Before each run, not timed. */
  prepare?: () => Promise<void>;
  /** Bytes of what it made, told once: for rewrites. */
  resultPath?: string;
}

export interface Job {
  name: string;
  shape: string;
  /** The first one is ours. */
  contestants: Contestant[];
}

export interface Tools {
  node: string;
  root: string;
  scratch: string;
  /** Official programs by name and version. */
  etcdutl35: string | undefined;
  etcdctl34: string | undefined;
  etcdctl35: string | undefined;
  /** gardener's etcd-backup-restore. */
  etcdbrctl: string | undefined;
}

const API = { ETCDCTL_API: '3' };

/** Jobs on the full of a shape. */
export function fullJobs(data: BenchData, tools: Tools): Job[] {
  const { shape, fullPath } = data;
  const dir = join(tools.scratch, 'data');
  const copy = join(tools.scratch, 'copy.db');
  const clean = async (): Promise<void> => {
    await rm(dir, { recursive: true, force: true });
    await rm(copy, { force: true });
  };
  const engine = (job: string): string[] => [tools.node, source(tools, 'engine-compact.ts'), job, fullPath, copy];
  const official = (name: string, path: string | undefined, ...args: string[]): Contestant[] =>
    path === undefined ? [] : [{ name, command: [path, ...args], env: API, prepare: clean }];
  const defragDir = join(tools.scratch, 'defrag');
  const defrag = (name: string, path: string | undefined): Contestant[] =>
    path === undefined
      ? []
      : [
          {
            name,
            command: [path, 'defrag', '--data-dir', defragDir],
            env: API,
            prepare: async () => makeDefragDirectory(defragDir, fullPath),
            resultPath: join(defragDir, 'member', 'snap', 'db'),
          },
        ];
  return [
    {
      name: 'restore',
      shape: shape.name,
      contestants: [
        { name: 'etcd-ops', command: restoreCommand(data, tools, dir), prepare: clean },
        ...official('etcdutl 3.5', tools.etcdutl35, 'snapshot', 'restore', fullPath, '--data-dir', dir),
        ...official('etcdctl 3.4', tools.etcdctl34, 'snapshot', 'restore', fullPath, '--data-dir', dir),
        { name: 'cp, sync', command: ['sh', '-c', `cp '${fullPath}' '${copy}' && sync '${copy}'`], prepare: clean },
        { name: 'sha256sum', command: ['sha256sum', fullPath] },
      ],
    },
    {
      name: 'check',
      shape: shape.name,
      contestants: [
        { name: 'etcd-ops', command: engine('check') },
        ...official('etcdutl 3.5 status', tools.etcdutl35, 'snapshot', 'status', fullPath),
        ...official('etcdctl 3.4 status', tools.etcdctl34, 'snapshot', 'status', fullPath),
      ],
    },
    {
      name: 'rewrite (defrag)',
      shape: shape.name,
      contestants: [
        { name: 'etcd-ops', command: engine('rewrite'), prepare: clean, resultPath: copy },
        ...defrag('etcdutl 3.5 defrag', tools.etcdutl35),
        ...defrag('etcdctl 3.4 defrag', tools.etcdctl34),
      ],
    },
    {
      name: 'compact + rewrite',
      shape: shape.name,
      contestants: [{ name: 'etcd-ops', command: engine('compact'), prepare: clean, resultPath: copy }],
    },
    { name: 'hashkv, 1 pass', shape: shape.name, contestants: [{ name: 'etcd-ops', command: engine('hashkv') }] },
    { name: 'hashkv, 2 passes', shape: shape.name, contestants: [{ name: 'etcd-ops', command: engine('hashkv2') }] },
    {
      name: 'hash',
      shape: shape.name,
      contestants: [{ name: 'etcd-ops', command: ourCommand(tools, 'hash', fullPath) }],
    },
    verifyJob(data, tools),
  ];
}

/** Jobs on a full with deltas. */
export function chainJobs(data: BenchData, tools: Tools): Job[] {
  const dir = join(tools.scratch, 'data');
  const copy = join(tools.scratch, 'copy');
  const clean = async (): Promise<void> => {
    await rm(dir, { recursive: true, force: true });
    await rm(copy, { recursive: true, force: true });
  };
  const { shape, bucket, cluster } = data;
  const proof = join(madeDirectory(tools), 'proof');
  const spool = join(madeDirectory(tools), 'spool');
  return [
    {
      name: 'restore',
      shape: shape.name,
      contestants: [
        { name: 'etcd-ops', command: restoreCommand(data, tools, dir), prepare: clean },
        {
          name: 'engine alone',
          command: [tools.node, source(tools, 'engine-restore.ts'), bucket, cluster, dir],
          prepare: clean,
        },
        { name: 'cp -r, sync', command: ['sh', '-c', `cp -r '${bucket}' '${copy}' && sync '${copy}'`], prepare: clean },
        ...gardener(data, tools, clean),
      ],
    },
    {
      name: 'edge proof',
      shape: shape.name,
      contestants: [
        {
          name: 'etcd-ops',
          command: [
            ...[tools.node, source(tools, 'engine-prove.ts'), bucket, cluster],
            ...[join(proof, 'member', 'snap', 'db'), spool],
          ],
          prepare: async () => {
            await mkdir(spool, { recursive: true });
            if (!existsSync(proof)) await timedRun(restoreCommand(data, tools, proof));
          },
        },
      ],
    },
    verifyJob(data, tools),
  ];
}

/** The same repository as gardener's etcd-backup-restore would have written it, uncompressed; it replays deltas through an etcd. */
function gardener({ bucket, cluster }: BenchData, tools: Tools, clean: () => Promise<void>): Contestant[] {
  if (tools.etcdbrctl === undefined) return [];
  const exporting = ourCommand(tools, 'export', '--layout', 'gardener', '--codec', 'none');
  const container = join(madeDirectory(tools), 'container');
  const from = ['--bucket', bucket, '--cluster-name', cluster];
  const to = ['--to-dir', container, '--to-cluster-name', cluster];
  return [
    {
      name: 'etcdbrctl',
      command: [
        ...[
          tools.etcdbrctl,
          'restore',
          '--storage-provider=Local',
          `--store-container=${relative(tools.scratch, container)}`,
        ],
        ...[`--store-prefix=${cluster}`, '--data-dir=data', `--embedded-etcd-quota-bytes=${8 * 2 ** 30}`],
      ],
      // Its folders are looked for below HOME.
      env: { HOME: tools.scratch },
      cwd: tools.scratch,
      prepare: async () => {
        await clean();
        if (!existsSync(container)) await timedRun([...exporting, ...from, ...to]);
      },
    },
  ];
}

/** Every byte of the repository. */
function verifyJob({ shape, bucket, cluster }: BenchData, tools: Tools): Job {
  const command = ourCommand(tools, 'verify', '--bucket', bucket, '--cluster-name', cluster);
  return { name: 'verify', shape: shape.name, contestants: [{ name: 'etcd-ops', command }] };
}

/** What contestants of a shape need and is made once. */
export function madeDirectory(tools: Tools): string {
  return join(tools.scratch, 'made');
}

function restoreCommand(data: BenchData, tools: Tools, dir: string): string[] {
  return ourCommand(tools, 'restore', '--bucket', data.bucket, '--cluster-name', data.cluster, '--data-dir', dir);
}

function ourCommand(tools: Tools, ...args: string[]): string[] {
  return [join(tools.root, 'bin', 'etcd-ops'), ...args];
}

function source(tools: Tools, name: string): string {
  return join(tools.root, 'bench', 'src', name);
}

/** `defrag --data-dir` works in place on the database of a stopped member. */
async function makeDefragDirectory(directory: string, fullPath: string): Promise<void> {
  const snap = join(directory, 'member', 'snap');
  await rm(directory, { recursive: true, force: true });
  await mkdir(snap, { recursive: true });
  await copyFile(fullPath, join(snap, 'db'));
  await truncate(join(snap, 'db'), (await stat(fullPath)).size - 32);
}

/** Bytes of a file, or of all files in a directory. */
export async function bytesOf(path: string): Promise<number> {
  const facts = await stat(path);
  if (!facts.isDirectory()) return facts.size;
  const sizes = await Promise.all((await readdir(path)).map((name) => bytesOf(join(path, name))));
  return sizes.reduce((sum, size) => sum + size, 0);
}
