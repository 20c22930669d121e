export { renameDurably, syncDirectory, writeFileAtomic } from './base/atomic-file.ts';
export { crc32c } from './base/crc32c.ts';
export { ERROR_CODES, type ErrorCode } from './base/error-codes.ts';
export { describeError, EtcdOpsError, isEtcdOpsError, type ErrorDetails } from './base/errors.ts';
export { Yielder, type YielderOptions } from './base/yielding.ts';
export {
  decodeRevisionKey,
  encodeRevisionKey,
  readMain,
  REVISION_KEY_BYTES,
  TOMBSTONE_KEY_BYTES,
  writeRevisionKey,
  type Revision,
  type RevisionKey,
} from './mvcc/revision.ts';
export { RevisionDigest, ROW_BLOCK_COUNT_BYTES, ROW_ENTRY_BYTES, RowBlock, RowBlockBuilder } from './mvcc/row-block.ts';
export { decodeLeaseRecords, encodeLeaseRecords, LEASE_RECORD_BYTES, type LeaseRecord, type LeaseSource } from './mvcc/lease-record.ts';
export type { ObjectInfo, ObjectStore, ReadOptions, StoreCapabilities, WriteOptions } from './storage/object-store.ts';
