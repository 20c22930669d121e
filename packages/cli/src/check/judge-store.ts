import type { BucketFacts, EtcdOpsError, LifecycleRule } from '@etcd-ops/core';
import { formatBytes } from '../output/table.ts';
import { fail, ok, skip, warn, type CheckFinding } from './check-finding.ts';
import { judgeClock } from './judge-clock.ts';

/** What came of a probe object; an error stands for a step that failed, and the steps behind it are left out. */
export interface ProbeFacts {
  key: string;
  write: true | EtcdOpsError;
  read?: 'same' | 'other' | EtcdOpsError;
  list?: boolean | EtcdOpsError;
  /** Whether a second conditional put was refused and changed nothing. */
  conditional?: boolean | EtcdOpsError;
  remove?: true | EtcdOpsError;
  /** By the time that the store gave the object. */
  clockAheadMs?: number;
}

export interface StoreFacts {
  description: string;
  /** The key prefix of the repository in the bucket, with the folder of the store before it. */
  prefix: string;
  list: true | EtcdOpsError;
  /** Undefined: it was not to be tried. */
  probe?: ProbeFacts | undefined;
  bucket?: BucketFacts | EtcdOpsError | undefined;
  /** Of a local store. */
  freeBytes?: number | undefined;
  /** The largest of the newest objects: the next one will be about as large. */
  newestFullBytes?: number | undefined;
}

export function judgeStore(facts: StoreFacts): CheckFinding[] {
  const { description, list, probe, bucket } = facts;
  const reach =
    list === true
      ? ok({ id: 'store.list', what: description, why: 'its objects can be listed' })
      : failure({ id: 'store.list', what: description, what2: 'they cannot be listed' }, list);
  if (list !== true) return [reach];
  const clockAheadMs = (isFacts(bucket) ? bucket.clockAheadMs : undefined) ?? probe?.clockAheadMs;
  return [
    reach,
    ...(probe === undefined
      ? [skip({ id: 'store.write', what: 'write, read, delete', why: 'not tried (--no-probe)' })]
      : judgeProbe(probe)),
    ...(facts.freeBytes === undefined ? [] : [judgeSpace(facts.freeBytes, facts.newestFullBytes)]),
    ...(bucket === undefined ? [] : judgeBucket(bucket, facts.prefix)),
    judgeClock({ id: 'store.clock', what: 'clock of the store', aheadMs: clockAheadMs, code: 'STORE_CLOCK_SKEW' }),
  ];
}

function isFacts(bucket: StoreFacts['bucket']): bucket is BucketFacts {
  return bucket !== undefined && !(bucket instanceof Error);
}

function failure({ id, what, what2 }: { id: string; what: string; what2: string }, error: EtcdOpsError): CheckFinding {
  const { message, remedy, code } = error;
  return fail({ id, what, why: `${what2}: ${message}`, remedy, code });
}

function judgeProbe({ key, write, read, list, conditional, remove }: ProbeFacts): CheckFinding[] {
  if (write !== true) {
    return [failure({ id: 'store.write', what: 'write', what2: 'an object cannot be written' }, write)];
  }
  return [
    ok({ id: 'store.write', what: 'write', why: 'an object can be written' }),
    ...(read === undefined ? [] : [judgeRead(read)]),
    ...(list === undefined ? [] : [judgeSeen(list)]),
    ...(conditional === undefined ? [] : [judgeConditional(conditional)]),
    ...(remove === undefined ? [] : [judgeRemove(remove, key)]),
  ];
}

function judgeRead(read: NonNullable<ProbeFacts['read']>): CheckFinding {
  const about = { id: 'store.read', what: 'read' };
  if (read === 'same') return ok({ ...about, why: 'what was written is read' });
  if (read !== 'other') return failure({ ...about, what2: 'an object cannot be read' }, read);
  return fail({
    ...about,
    why: 'what is read is not what was written',
    remedy: 'Do not trust this store with backups: something between it and this host changes bytes.',
    code: 'STORE_UNSAFE',
  });
}

function judgeSeen(list: boolean | EtcdOpsError): CheckFinding {
  const about = { id: 'store.consistent', what: 'consistent list' };
  if (list === true) return ok({ ...about, why: 'what was written is listed at once' });
  if (list !== false) return failure({ ...about, what2: 'listing failed behind a write' }, list);
  return fail({
    ...about,
    why: 'what was written is not listed',
    remedy: 'etcd-ops needs a store that lists an object as soon as it is written.',
    code: 'STORE_UNSAFE',
  });
}

function judgeConditional(conditional: boolean | EtcdOpsError): CheckFinding {
  const about = { id: 'store.conditional', what: 'conditional put' };
  if (conditional === true) return ok({ ...about, why: 'an object that exists is not replaced' });
  if (conditional !== false) return failure({ ...about, what2: 'it fails' }, conditional);
  return warn({
    ...about,
    why: 'the store does not honour it: a look before each put is all there is',
    remedy: 'Let only one etcd-ops write to this repository at a time, or take a store that does.',
    code: 'STORE_UNSAFE',
  });
}

function judgeRemove(remove: true | EtcdOpsError, key: string): CheckFinding {
  const about = { id: 'store.delete', what: 'delete' };
  if (remove === true) return ok({ ...about, why: 'an object can be deleted' });
  const { message, code } = remove;
  return warn({
    ...about,
    why: `${key} could not be deleted: ${message}`,
    remedy: 'Retention needs the right to delete; without it, delete the probe and old backups by other means.',
    code,
  });
}

function judgeSpace(freeBytes: number, newestFullBytes: number | undefined): CheckFinding {
  const about = { id: 'store.space', what: 'free space' };
  const free = `${formatBytes(freeBytes)} free`;
  if (newestFullBytes === undefined) return ok({ ...about, why: `${free}; there is no full to measure it by` });
  const why = `${free}, the newest full has ${formatBytes(newestFullBytes)}`;
  const remedy = 'Free space there, or keep less (`etcd-ops gc plan`).';
  if (freeBytes < newestFullBytes) return fail({ ...about, why, remedy, code: 'DISK_FAILED' });
  return freeBytes < 3 * newestFullBytes ? warn({ ...about, why, remedy, code: 'DISK_FAILED' }) : ok({ ...about, why });
}

function judgeBucket(bucket: BucketFacts | EtcdOpsError, prefix: string): CheckFinding[] {
  if (bucket instanceof Error) {
    return [
      skip({ id: 'store.settings', what: 'settings of the bucket', why: `they cannot be read: ${bucket.message}` }),
    ];
  }
  const { versioning, objectLock, lifecycle, unreadable } = bucket;
  return [
    ...(versioning === undefined ? [] : [judgeVersioning(versioning)]),
    ...(objectLock === undefined ? [] : [judgeLock(objectLock)]),
    ...(lifecycle === undefined ? [] : judgeLifecycle(lifecycle, prefix)),
    ...unreadable.map((why) => skip({ id: 'store.settings', what: 'settings of the bucket', why })),
  ];
}

function judgeVersioning(versioning: NonNullable<BucketFacts['versioning']>): CheckFinding {
  const why = {
    on: 'on: what is deleted or replaced stays as an older version, and is paid for, until a lifecycle rule takes it',
    off: 'off',
    suspended: 'suspended: older versions that are there stay',
  }[versioning];
  return ok({ id: 'store.versioning', what: 'versioning', why });
}

function judgeLock({ enabled, defaultMode, defaultDays }: NonNullable<BucketFacts['objectLock']>): CheckFinding {
  const about = { id: 'store.lock', what: 'object lock' };
  if (!enabled) return ok({ ...about, why: 'off' });
  if (defaultDays === undefined) return ok({ ...about, why: 'on, without a default: only what is locked one by one' });
  return ok({
    ...about,
    why: `on: ${defaultMode ?? 'locked'} for ${defaultDays} days; retention removes nothing younger`,
  });
}

/** Whose deletions and moves meet the repository: rules about a part of it, or about all that it lies in. */
function judgeLifecycle(rules: readonly LifecycleRule[], prefix: string): CheckFinding[] {
  const about = { id: 'store.lifecycle', what: 'lifecycle rules' };
  const meeting = rules.filter((rule) => prefix.startsWith(rule.prefix) || rule.prefix.startsWith(prefix));
  const findings = meeting.flatMap((rule): CheckFinding[] => {
    const name = `rule ${JSON.stringify(rule.id)}${rule.prefix === '' ? '' : ` for ${rule.prefix}`}`;
    if (rule.expireAfterDays !== undefined) {
      return [
        fail({
          ...about,
          why: `${name} deletes objects after ${rule.expireAfterDays} days: fulls go before the deltas that need them, and quiet clusters lose all`,
          remedy: 'Take the rule away, and let retention decide (`etcd-ops gc plan`).',
          code: 'STORE_UNSAFE',
        }),
      ];
    }
    if (rule.moveAfterDays === undefined) return [];
    return [
      warn({
        ...about,
        why: `${name} moves objects to ${rule.storageClass ?? 'another class'} after ${rule.moveAfterDays} days: from an archive they cannot be read at once`,
        remedy: 'Move to classes that answer at once only, or test a restore from there.',
        code: 'STORE_UNSAFE',
      }),
    ];
  });
  return findings.length > 0 ? findings : [ok({ ...about, why: 'none deletes or moves backups' })];
}
