import { isEtcdOpsError } from '../base/errors.ts';
import { z } from 'zod';
import type { BucketFacts, LifecycleRule } from './object-store.ts';
import type { OssCalls } from './oss-calls.ts';
import type { RequestOptions } from './remote-bucket.ts';

interface Worm {
  days: number;
  enabled: boolean;
}

/** The bucket's retention policy; undefined when it has none. One that is not locked yet protects already, but may be taken back. */
export async function wormOf(calls: OssCalls, bucket: string, { signal }: RequestOptions): Promise<Worm | undefined> {
  const expected = ['NoSuchWORMConfiguration'] as const;
  const found = await calls.run(
    { action: 'Asking for the retention policy of', key: bucket, signal, expected },
    async (sdk) => await sdk.getBucketWorm(bucket),
  );
  if (found === 'NoSuchWORMConfiguration') return undefined;
  if (found.state !== 'Locked' && found.state !== 'InProgress') return undefined;
  return { days: Number(found.days ?? 0), enabled: found.state === 'Locked' };
}

/** Facts that the key may not ask for are left out and named. */
export async function ossBucketFacts(calls: OssCalls, bucket: string, options: RequestOptions): Promise<BucketFacts> {
  const unreadable: string[] = [];
  const readable = async <T>(fact: string, read: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await read();
    } catch (error) {
      if (!isEtcdOpsError(error, 'STORE_DENIED')) throw error;
      unreadable.push(`${fact}: ${error.message}`);
      return undefined;
    }
  };
  const versioning = await readable('versioning', async () => await versioningOf(calls, bucket, options));
  const worm = await readable('retention policy', async () => ({ found: await wormOf(calls, bucket, options) }));
  const lifecycle = await readable('lifecycle rules', async () => await lifecycleOf(calls, bucket, options));
  const clockAheadMs = calls.clockAheadMs;
  return {
    ...(versioning === undefined ? {} : { versioning }),
    ...(worm === undefined ? {} : { objectLock: lockOf(worm.found) }),
    ...(lifecycle === undefined ? {} : { lifecycle }),
    ...(clockAheadMs === undefined ? {} : { clockAheadMs }),
    unreadable,
  };
}

function lockOf(worm: Worm | undefined): NonNullable<BucketFacts['objectLock']> {
  return worm === undefined ? { enabled: false } : { enabled: true, defaultMode: 'compliance', defaultDays: worm.days };
}

async function versioningOf(
  calls: OssCalls,
  bucket: string,
  { signal }: RequestOptions,
): Promise<NonNullable<BucketFacts['versioning']>> {
  const { versionStatus } = await calls.run(
    { action: 'Asking for the versioning of', key: bucket, signal },
    async (sdk) => await sdk.getBucketVersioning(bucket),
  );
  if (versionStatus === 'Enabled') return 'on';
  return versionStatus === 'Suspended' ? 'suspended' : 'off';
}

const daysSchema = z.object({ days: z.coerce.number().optional(), storageClass: z.string().optional() }).optional();
const first = <T>(value: T | T[] | undefined): T | undefined => (Array.isArray(value) ? value[0] : value);
const oneOrMore = z.preprocess(first, daysSchema);
const ruleSchema = z.object({
  id: z.string().default(''),
  prefix: z.string().default(''),
  status: z.string().optional(),
  expiration: oneOrMore,
  transition: oneOrMore,
  abortMultipartUpload: oneOrMore,
});

async function lifecycleOf(calls: OssCalls, bucket: string, { signal }: RequestOptions): Promise<LifecycleRule[]> {
  const expected = ['NoSuchLifecycle'] as const;
  const found = await calls.run(
    { action: 'Asking for the lifecycle rules of', key: bucket, signal, expected },
    async (sdk) => await sdk.getBucketLifecycle(bucket),
  );
  if (found === 'NoSuchLifecycle') return [];
  return z
    .array(ruleSchema)
    .parse(found.rules ?? [])
    .filter(({ status }) => status !== 'Disabled')
    .map(({ id, prefix, expiration, transition, abortMultipartUpload }) => ({
      id,
      prefix,
      ...(expiration?.days === undefined ? {} : { expireAfterDays: expiration.days }),
      ...(transition?.days === undefined ? {} : { moveAfterDays: transition.days }),
      ...(transition?.storageClass === undefined ? {} : { storageClass: transition.storageClass }),
      ...(abortMultipartUpload?.days === undefined ? {} : { abortUploadsAfterDays: abortMultipartUpload.days }),
    }));
}
