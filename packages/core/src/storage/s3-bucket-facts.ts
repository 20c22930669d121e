import {
  GetBucketLifecycleConfigurationCommand,
  GetBucketVersioningCommand,
  GetObjectLockConfigurationCommand,
  type LifecycleRule as S3LifecycleRule,
  type S3Client,
} from '@aws-sdk/client-s3';
import { describeError, isEtcdOpsError } from '../base/errors.ts';
import type { BucketFacts, LifecycleRule } from './object-store.ts';
import { readS3Failure } from './s3-errors.ts';

type Work<Result> = (client: S3Client, bucket: string, options: { abortSignal?: AbortSignal }) => Promise<Result>;
type Ask = <Result>(what: string, work: Work<Result>) => Promise<Result>;

/** Answers that mean: nothing of the kind is set. Servers that do not know the question have nothing of the kind, either. */
const NOT_SET = [
  'NoSuchLifecycleConfiguration',
  'ObjectLockConfigurationNotFoundError',
  'NotImplemented',
  'MethodNotAllowed',
];

/** Each part for itself: rights to read the settings of a bucket are rarely given as a whole. */
export async function readBucketFacts(ask: Ask): Promise<BucketFacts> {
  const unreadable: string[] = [];
  async function part<Value>(what: string, work: Work<Value>): Promise<Value | undefined> {
    try {
      return await ask(`Reading the ${what} of the bucket`, work);
    } catch (error) {
      if (isEtcdOpsError(error, 'CANCELLED')) throw error;
      unreadable.push(`${what}: ${describeError(error)}`);
      return undefined;
    }
  }
  const versioning = await part('versioning', readVersioning);
  const objectLock = await part('object lock', readObjectLock);
  const lifecycle = await part('lifecycle rules', readLifecycle);
  return {
    unreadable,
    ...(versioning === undefined ? {} : { versioning }),
    ...(objectLock === undefined ? {} : { objectLock }),
    ...(lifecycle === undefined ? {} : { lifecycle }),
  };
}

async function readVersioning(client: S3Client, Bucket: string, options: { abortSignal?: AbortSignal }) {
  const { Status } = await client.send(new GetBucketVersioningCommand({ Bucket }), options);
  if (Status === 'Enabled') return 'on' as const;
  return Status === 'Suspended' ? ('suspended' as const) : ('off' as const);
}

async function readObjectLock(client: S3Client, Bucket: string, options: { abortSignal?: AbortSignal }) {
  const answer = await unlessNotSet(
    async () => await client.send(new GetObjectLockConfigurationCommand({ Bucket }), options),
  );
  const { ObjectLockEnabled, Rule } = answer?.ObjectLockConfiguration ?? {};
  const { Mode, Days, Years } = Rule?.DefaultRetention ?? {};
  const days = Days ?? (Years === undefined ? undefined : Years * 365);
  return {
    enabled: ObjectLockEnabled === 'Enabled',
    ...(Mode === undefined
      ? {}
      : { defaultMode: Mode === 'COMPLIANCE' ? ('compliance' as const) : ('governance' as const) }),
    ...(days === undefined ? {} : { defaultDays: days }),
  };
}

async function readLifecycle(
  client: S3Client,
  Bucket: string,
  options: { abortSignal?: AbortSignal },
): Promise<LifecycleRule[]> {
  const answer = await unlessNotSet(
    async () => await client.send(new GetBucketLifecycleConfigurationCommand({ Bucket }), options),
  );
  return (answer?.Rules ?? []).filter(({ Status }) => Status === 'Enabled').map(ruleOf);
}

function ruleOf(rule: S3LifecycleRule): LifecycleRule {
  const transition = rule.Transitions?.[0];
  const expireAfterDays = rule.Expiration?.Days;
  const moveAfterDays = transition?.Days;
  const storageClass = transition?.StorageClass;
  const abortUploadsAfterDays = rule.AbortIncompleteMultipartUpload?.DaysAfterInitiation;
  return {
    id: rule.ID ?? '',
    prefix: rule.Filter?.Prefix ?? rule.Filter?.And?.Prefix ?? rule.Prefix ?? '',
    ...(expireAfterDays === undefined ? {} : { expireAfterDays }),
    ...(moveAfterDays === undefined ? {} : { moveAfterDays }),
    ...(storageClass === undefined ? {} : { storageClass }),
    ...(abortUploadsAfterDays === undefined ? {} : { abortUploadsAfterDays }),
  };
}

async function unlessNotSet<Answer>(ask: () => Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (NOT_SET.includes(readS3Failure(error).reason)) return undefined;
    throw error;
  }
}
