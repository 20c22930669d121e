/** One way to list a repository, in a process of its own: prints what it took. */
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import {
  clusterPrefix,
  openStore,
  planRetention,
  readInventory,
  retentionPolicyOf,
  storeSpecSchema,
  type StoreSpec,
} from '@etcd-ops/core';
import { LISTED_CLUSTER } from './objects.ts';

const WAYS = { sdk, walk, list, inventory, plan };
export type Way = keyof typeof WAYS;

const [way = 'list', text = '{}'] = process.argv.slice(2);
const before = process.cpuUsage();
const begin = performance.now();
const measured = await WAYS[way as Way](storeSpecSchema.parse(JSON.parse(text)));
const report = { wallMs: performance.now() - begin, cpuMs: cpuMsSince(before), ...measured };
process.stdout.write(`${JSON.stringify(report)}\n`);

/** What the SDK alone does: a page after the other. */
async function sdk(store: StoreSpec): Promise<{ objects: number }> {
  if (store.provider !== 'S3') throw new Error('the SDK lists S3');
  const { bucket, endpoint, region } = store;
  const client = new S3Client({ endpoint: endpoint!, region: region!, forcePathStyle: true });
  let objects = 0;
  let next: string | undefined;
  do {
    const request = { Bucket: bucket, Prefix: clusterPrefix(LISTED_CLUSTER), ContinuationToken: next };
    const page = await client.send(new ListObjectsV2Command(request));
    objects += page.Contents?.length ?? 0;
    next = page.NextContinuationToken;
  } while (next !== undefined);
  return { objects };
}

/** What Node alone does: names, then a look at each file. */
async function walk(store: StoreSpec): Promise<{ objects: number }> {
  let objects = 0;
  for (const entry of await readdir(store.bucket, { recursive: true, withFileTypes: true })) {
    if (entry.isFile() && (await lstat(join(entry.parentPath, entry.name))).isFile()) objects++;
  }
  return { objects };
}

async function list(spec: StoreSpec): Promise<{ objects: number }> {
  const store = await openStore(spec);
  let objects = 0;
  for await (const _ of store.list(clusterPrefix(LISTED_CLUSTER))) objects++;
  await store.close?.();
  return { objects };
}

async function inventory(spec: StoreSpec): Promise<{ objects: number }> {
  const store = await openStore(spec);
  const found = await readInventory(store, LISTED_CLUSTER);
  await store.close?.();
  const objects = found.timelines.reduce((sum, { fulls, deltas }) => sum + 2 * fulls.length + deltas.length + 1, 0);
  return { objects };
}

/** The plan alone: its own times stand for those of the process. */
async function plan(spec: StoreSpec): Promise<{ objects: number; wallMs: number; cpuMs: number }> {
  const store = await openStore(spec);
  const found = await readInventory(store, LISTED_CLUSTER);
  await store.close?.();
  const policy = retentionPolicyOf({ maxBackups: 0, keepHourly: 48, keepDaily: 14, keepWithinMs: 86_400_000 });
  const from = process.cpuUsage();
  const start = performance.now();
  const { keep, remove } = planRetention(found, policy, { nowMs: Date.UTC(2026, 0, 14), orphanGraceMs: 3_600_000 });
  const wallMs = performance.now() - start;
  const cpuMs = cpuMsSince(from);
  const objects = [...keep, ...remove].reduce((sum, { keys }) => sum + keys.length, 0);
  return { objects, wallMs, cpuMs };
}

function cpuMsSince(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}
