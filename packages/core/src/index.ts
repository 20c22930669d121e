export { renameDurably, syncDirectory, writeFileAtomic } from './base/atomic-file.ts';
export { crc32c } from './base/crc32c.ts';
export { ERROR_CODES, type ErrorCode } from './base/error-codes.ts';
export { Random } from './base/random.ts';
export { ByteSlice } from './base/byte-slice.ts';
export { freeBuffer } from './base/free-buffer.ts';
export { writeFully } from './base/write-fully.ts';
export { describeError, EtcdOpsError, isEtcdOpsError, type ErrorDetails, type FailureFacts } from './base/errors.ts';
export { Yielder, type YielderOptions } from './base/yielding.ts';
export { BoltFile, type BoltFileOptions } from './bolt/bolt-file.ts';
export { BoltWriter } from './bolt/bolt-writer.ts';
export { type Bucket } from './bolt/bucket.ts';
export { checkBoltFile, type BoltCheckReport } from './bolt/check.ts';
export { type Cursor } from './bolt/cursor.ts';
export { type BoltMeta } from './bolt/meta.ts';
export { type LeafView } from './bolt/page.ts';
export { type RightEdge } from './bolt/right-edge.ts';
export {
  compactStore,
  type CompactPhase,
  type CompactStoreOptions,
  type CompactStoreReport,
} from './compact/compact-store.ts';
export { hashKV, type HashKVOptions, type HashKVResult } from './mvcc/hash-kv.ts';
export { scanKeyValue, type KeyValue } from './mvcc/key-value.ts';
export { encodeLeaseRow, LEASE_BUCKET, readLeases, type StoredLease } from './mvcc/leases.ts';
export { leasesOfLiveKeys } from './mvcc/live-leases.ts';
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
export { rowsAbove, type RowsAboveOptions } from './mvcc/rows-above.ts';
export { digestOfRevision, readStoreInfo, ROW_BUCKET, type StoredAlarm, type StoreInfo } from './mvcc/store-info.ts';
export { RevisionDigest, ROW_BLOCK_COUNT_BYTES, ROW_ENTRY_BYTES, RowBlock, RowBlockBuilder } from './mvcc/row-block.ts';
export {
  decodeLeaseRecords,
  encodeLeaseRecords,
  LEASE_RECORD_BYTES,
  type LeaseRecord,
  type LeaseSource,
} from './mvcc/lease-record.ts';
export type {
  BucketFacts,
  LifecycleRule,
  ObjectInfo,
  ObjectLock,
  ObjectStore,
  ReadOptions,
  StoreCapabilities,
  StreamWriteOptions,
  SweepOptions,
  WriteOptions,
} from './storage/object-store.ts';
export { decryptBuffer, encryptBuffer } from './encryption/age-buffer.ts';
export { AGE_HEADER_BYTES_MAX, AGE_MAGIC } from './encryption/age-header.ts';
export { openAgeSource, readSourceFacts, type ByteSource } from './encryption/age-source.ts';
export { decryptStage, encryptStage, type ByteStage } from './encryption/age-stream.ts';
export { type ClearDeltaFacts, type ClearFacts } from './encryption/clear-facts.ts';
export { Identities } from './encryption/identities.ts';
export {
  checkRecipients,
  fingerprintOf,
  readRecipients,
  type Recipients,
  type RecipientsSpec,
} from './encryption/recipients.ts';
export { digestFits, plainDigest, SEALED_DIGEST, sealDigest } from './encryption/sealed-digest.ts';
export { checkRaftFiles } from './datadir/check-raft-files.ts';
export { checkMemberSpecs, parseInitialCluster, type MemberSpec } from './datadir/initial-cluster.ts';
export {
  computeMembership,
  memberByName,
  memberIdHex,
  memberJson,
  type Member,
  type Membership,
} from './datadir/membership.ts';
export { encodeRaftFiles, writeRaftFiles, type RaftFiles } from './datadir/raft-files.ts';
export { decodeRaftSnapshot, readRaftSnapshot, type RaftSnapshot } from './datadir/raft-snapshot-reader.ts';
export { ETCD_TARGETS, rewriteStoreBuckets, targetOfVersion, type EtcdTarget } from './datadir/store-buckets.ts';
export { FIRST_WAL_NAME } from './datadir/wal-format.ts';
export {
  decodeWal,
  readWal,
  type WalContent,
  type WalEntry,
  type WalHardState,
  type WalSnapshot,
} from './datadir/wal-reader.ts';
export { CODECS, codecOfSuffix, codecSuffix, type Codec } from './codec/codec.ts';
export { compressBlock, decompressBlock } from './codec/compress-block.ts';
export { LEVEL_DEFAULT, LEVEL_MAX } from './codec/compression-level.ts';
export { compressStream, decompressStream, type DecompressOptions } from './codec/codec-stream.ts';
export { decodeDelta, type DecodeDeltaOptions, type DecodedDelta } from './delta/decode-delta.ts';
export { deltaContentSha256 } from './delta/delta-content.ts';
export { DeltaEncoder } from './delta/delta-encoder.ts';
export { deltaFacts, readDeltaFooter, type DeltaFooter } from './delta/delta-footer.ts';
export { bufferDeltaSource, DeltaReader, type DeltaSource, type RowBlockRange } from './delta/delta-reader.ts';
export {
  DELTA_BYTES_MAX,
  DELTA_TAIL_BYTES,
  type DeltaFacts,
  type DeltaIdentity,
  type ObservedTime,
  type RowsBlockLocation,
} from './delta/delta-format.ts';
export { decodeClusterName, encodeClusterName } from './repository/cluster-name.ts';
export {
  clusterPrefix,
  clusterRecordKey,
  deltaKey,
  fullKey,
  manifestKey,
  parseObjectKey,
  timelinePrefix,
  timelineRecordKey,
  type DeltaKeyFacts,
  type FullKeyFacts,
  type ParsedKey,
} from './repository/object-key.ts';
export {
  inspectDataDir,
  type DataDirFacts,
  type DataDirState,
  type InspectOptions,
} from './ensure/inspect-data-dir.ts';
export { moveAside, type MovedAside } from './ensure/move-aside.ts';
export { inspectMember, type InspectedMember, type InspectMemberOptions } from './inspect/inspect-member.ts';
export {
  inspectRaftSnapshot,
  inspectWal,
  walSegmentOf,
  type InspectedRaftSnapshot,
  type InspectedWal,
} from './inspect/inspect-raft.ts';
export {
  inspectStore,
  type InspectedStore,
  type InspectStoreOptions,
  type RowCounts,
  type StoredMember,
} from './inspect/inspect-store.ts';
export { recogniseFile, type FileKind, type RecognisedFile } from './inspect/recognise-file.ts';
export { type V2Keys } from './inspect/v2-store.ts';
export { listWalSegments, type WalSegment } from './ensure/wal-segments.ts';
export { LocalStore } from './storage/local-store.ts';
export { cancelled, systemClock, type Clock } from './base/clock.ts';
export {
  isRetriable,
  retry,
  RETRY_DELAY_MS,
  RETRY_DELAY_MS_MAX,
  retryDelayMs,
  type RetryFailure,
  type RetryOptions,
} from './base/retry.ts';
export { STORE_OPERATIONS, type StoreMeter, type StoreOperation } from './storage/metered-store.ts';
export { type RequestName } from './storage/each-request.ts';
export { openStore, type OpenStoreOptions } from './storage/open-store.ts';
export {
  describeStoreSpec,
  PART_BYTES_MIN,
  PARTS_IN_FLIGHT_MAX_DEFAULT,
  resolveStorePaths,
  STORE_PROVIDERS,
  storePlace,
  storeSpecSchema,
  type OssStoreSpec,
  type RemoteStoreSpec,
  type S3StoreSpec,
  type StoreCredentials,
  type StoreProvider,
  type StoreSpec,
} from './storage/store-spec.ts';
export { DURATION_PATTERN, durationMs } from './base/duration.ts';
export { hasPossiblePort } from './base/endpoint-port.ts';
export { nearestName } from './base/nearest-name.ts';
export { makeScratch, type ScratchDirectory } from './base/scratch-directory.ts';
export { DamagedObjectError } from './restore/damaged-object.ts';
export {
  restoreAround,
  type DamageFound,
  type RestoreAroundOptions,
  type RestoreAroundReport,
} from './restore/restore-around.ts';
export {
  LEASE_MODES,
  RESTORE_PHASES,
  type LeaseMode,
  type RestoreMember,
  type RestoreOptions,
  type RestorePhase,
  type RestoreReport,
} from './restore/restore-options.ts';
export { findBeforeDelete, type BeforeDelete, type WantedDeletion } from './restore/before-delete.ts';
export { findDeletion, type FindDeletionOptions, type FoundDeletion } from './restore/find-deletion.ts';
export { planSafeBump, type SafeBump, type SafeBumpOptions } from './restore/safe-bump.ts';
export {
  settleChanges,
  type ChangeName,
  type SayChange,
  type StateChanges,
  type WantedChanges,
} from './restore/state-changes.ts';
export { writtenLeases, type WrittenLeases } from './restore/written-leases.ts';
export { restore } from './restore/restore.ts';
export {
  chains,
  DeltaCoverage,
  gaps,
  restorableRanges,
  type Chain,
  type Gap,
  type RestorableRange,
} from './repository/coverage.ts';
export { capturedLater, describeLater, type CapturedLater } from './repository/captured-later.ts';
export { noBackup } from './repository/not-restorable.ts';
export { doubtsOf, groupDoubts, settledTo, type Doubt } from './repository/proof-doubts.ts';
export {
  decodeProofRecord,
  encodeProofRecord,
  PROOF_KINDS,
  PROOF_VERDICTS,
  proofRecordSchema,
  type ProofComparison,
  type ProofDifference,
  type ProofKind,
  type ProofRecord,
  type ProofVerdict,
} from './repository/proof-record.ts';
export {
  listProofs,
  listWitnesses,
  readProof,
  readProofs,
  readWitness,
  writeProof,
  writeWitness,
  type ProofEntry,
  type Proofs,
  type StoredProof,
  type WitnessEntry,
} from './repository/read-proofs.ts';
export { type ProvenChain } from './repository/proven-chains.ts';
export { copyRepository, type CopyOptions, type CopyProgress, type CopyReport } from './copy/copy-repository.ts';
export { type CopySides } from './copy/copy-plan.ts';
export { type CopyScope } from './copy/copy-scope.ts';
export { mergeDeltas, type MergedDelta, type MergeOptions } from './merge/merge-deltas.ts';
export {
  MERGE_BYTES_MAX,
  MERGE_SETTLE_MS,
  MERGE_WINDOWS_MS,
  planMerges,
  windowName,
  type MergeDoubts,
  type MergeJob,
  type MergePolicy,
} from './merge/plan-merges.ts';
export { edgeSpans, type RevisionSpan } from './verify/edge-span.ts';
export { proveEdge, type ProveEdgeOptions } from './verify/prove-edge.ts';
export { proveStoredEdge, type ProveStoredEdgeOptions } from './verify/prove-stored-edge.ts';
export { proveChain, type ProveChainOptions } from './verify/prove-chain.ts';
export { obsoleteEvidence, removeObsoleteEvidence } from './verify/obsolete-evidence.ts';
export { type ExpectedHash } from './verify/hash-comparison.ts';
export { verifyRepository, type VerifyOptions } from './verify/verify-repository.ts';
export {
  FINDING_KINDS,
  VERIFY_DEPTHS,
  type Finding,
  type FindingKind,
  type VerifyDepth,
  type VerifyReport,
} from './verify/verify-report.ts';
export { type VerifyScope } from './verify/verify-scope.ts';
export { decodeWitness, encodeWitness, witnessRecordSchema, type WitnessRecord } from './repository/witness-record.ts';
export {
  openStoredDelta,
  readDeltaEnd,
  storedDeltaSource,
  type DeltaEnd,
  type OpenDeltaOptions,
} from './repository/delta-source.ts';
export { canOpenNewest, type NewestOpens } from './repository/can-open-newest.ts';
export { encryptionOfPacking, packFile, STORED_PLAIN, type PackedFile, type Packing } from './repository/packing.ts';
export { putDelta, type FinishedDelta, type PutDeltaOptions } from './repository/put-delta.ts';
export {
  decodeLeaseObject,
  encodeLeaseObject,
  LEASE_OBJECT_RECORDS_MAX,
  type LeaseObject,
} from './lease-object/lease-object.ts';
export { nameOfLeases, putLeases, readStoredLeases } from './lease-object/stored-leases.ts';
export { decodeManifest, encodeManifest, fullManifestSchema, type FullManifest } from './repository/full-manifest.ts';
export { seenMsAtOrBelow, seenMsOf, seenMsOfSources } from './repository/full-times.ts';
export {
  readInventory,
  type DamagedEntry,
  type DeltaEntry,
  type FullEntry,
  type LeaseEntry,
  type IncompleteEntry,
  type Inventory,
  type TimelineInventory,
} from './repository/inventory.ts';
export { readRepositoryNames, type RepositoryNames } from './repository/repository-names.ts';
export { planRestore, type PlanOptions, type RestorePlan, type RestoreTarget } from './repository/plan-restore.ts';
export { headOf, repositoryHead, type RepositoryHead } from './repository/repository-head.ts';
export {
  decodeClusterRecord,
  decodeTimelineRecord,
  encodeClusterRecord,
  encodeTimelineRecord,
  type ClusterRecord,
  type TimelineRecord,
} from './repository/repository-records.ts';
export { planRestoreFrom, resolveTime, type ResolveTimeOptions } from './repository/resolve-time.ts';
export type { ResolvedTime } from './repository/time-points.ts';
export {
  markedKeys,
  readRetentionRecords,
  type RetentionRecords,
  type StoredRecord,
} from './repository/read-retention-records.ts';
export {
  decodeHold,
  decodeMark,
  decodePin,
  encodeHold,
  encodeMark,
  encodePin,
  holdRecordSchema,
  markRecordSchema,
  pinRecordSchema,
  type HoldRecord,
  type MarkRecord,
  type PinRecord,
} from './repository/retention-records.ts';
export { retentionRecordId, retentionRecordKey, type RetentionKeyFacts } from './repository/retention-key.ts';
export { applyCollection, type ApplyCollectionOptions, type CollectionReport } from './retention/apply-collection.ts';
export { isTimeZone } from './retention/calendar.ts';
export { livePins, planCollection, type Collection, type CollectionOptions } from './retention/collect.ts';
export { holdObjects, type Hold, type HoldOptions } from './retention/hold.ts';
export { holdPlan, type HeldPlan, type HoldPlanOptions } from './retention/hold-plan.ts';
export { lossesOf, type RetentionLosses } from './retention/losses.ts';
export { createPin, removePin, type CreatedPin, type PinOptions } from './retention/pin.ts';
export {
  DELTA_RETENTIONS,
  describeDuration,
  describeRule,
  keepRulesOf,
  POLICY_NAMES,
  policyNameOf,
  retentionPolicyOf,
  type DeltaRetention,
  type PolicyName,
  type PolicySettings,
  type RetentionPolicy,
  type RetentionRule,
} from './retention/policy.ts';
export {
  planRetention,
  type PinnedPoint,
  type RetentionCode,
  type RetentionDecision,
  type RetentionOptions,
  type RetentionPlan,
} from './retention/plan-retention.ts';
export { removeObjects, type RefusedRemoval, type RemovedObjects } from './retention/remove-objects.ts';
export { liveHolds, stageRemoval, type RemovalStage, type StageOptions } from './retention/stage-removal.ts';
export { adoptForRestore, type Adopted, type AdoptOptions, type AdoptScope } from './layouts/adopt-for-restore.ts';
export { adoptDelta, type AdoptedDelta, type AdoptTarget, type ImportSource } from './layouts/adopt-delta.ts';
export { adoptFull, targetOfStore, type AdoptedFull, type ForeignFull } from './layouts/adopt-full.ts';
export {
  EXPORT_CODECS,
  EXPORT_DELTA_BYTES,
  exportChain,
  planExport,
  type ExportCodec,
  type ExportLink,
  type ExportReport,
} from './layouts/export-chain.ts';
export { readForeignRepository, type ForeignObject, type ForeignRepository } from './layouts/foreign-repository.ts';
export {
  importItemsOf,
  importSnapshots,
  planImport,
  type ImportItem,
  type ImportJob,
  type ImportReport,
  type ImportStep,
} from './layouts/import-snapshots.ts';
export { FOREIGN_LAYOUTS, parseSnapshotName, type ForeignCodec, type ForeignLayout } from './layouts/snapshot-name.ts';
export { openZippedFile } from './layouts/zipped-file.ts';
