import type { ErrorCode } from '../base/error-codes.ts';
import { describeError, EtcdOpsError, isEtcdOpsError, type FailureFacts } from '../base/errors.ts';

/** An object of the repository that must not be used: the caller may plan again without it. */
export class DamagedObjectError extends EtcdOpsError {
  readonly objectKey: string;

  readonly rule: string;

  constructor(
    code: ErrorCode,
    objectKey: string,
    details: { rule: string; cause?: unknown; remedy?: string; facts?: FailureFacts },
  ) {
    const { rule, cause, remedy, facts } = details;
    super(code, {
      message: `${objectKey}: ${rule}`,
      cause,
      facts: { key: objectKey, ...facts },
      ...(remedy === undefined ? {} : { remedy }),
    });
    this.rule = rule;
    this.objectKey = objectKey;
  }
}

/** Codes that say: these bytes are wrong. Others (the disk, the store, a cancellation) say nothing about the object. */
const DAMAGE_CODES: readonly ErrorCode[] = [
  'BOLT_DAMAGED',
  'MVCC_DAMAGED',
  'SNAPSHOT_HASH_MISMATCH',
  'DELTA_DAMAGED',
  'OBJECT_DAMAGED',
  'ROW_BLOCK_DAMAGED',
  'LIMIT_EXCEEDED',
  'STORE_NOT_FOUND',
];

/** Runs work that reads one object; damage found in it names the object. */
export async function blaming<Result>(objectKey: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw asDamageOf(objectKey, error);
  }
}

/**
 * A local object that could not be opened. One that is not there is planned around; one that this process may not read, or
 * cannot for now, is still good: going round it would restore less than the repository holds.
 */
export function asUnopened(objectKey: string, cause: unknown): EtcdOpsError {
  if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') {
    return new DamagedObjectError('STORE_NOT_FOUND', objectKey, { rule: 'it is not there', cause });
  }
  return new EtcdOpsError('STORE_FAILED', {
    message: `${objectKey} could not be opened`,
    facts: { key: objectKey },
    cause,
  });
}

export function asDamageOf(objectKey: string, error: unknown): unknown {
  if (error instanceof DamagedObjectError || !isEtcdOpsError(error) || !DAMAGE_CODES.includes(error.code)) return error;
  return new DamagedObjectError(error.code, objectKey, { rule: describeError(error), cause: error });
}
