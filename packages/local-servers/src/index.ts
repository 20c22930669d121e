export {
  compareVersions,
  distinctEtcdVersions,
  etcdVersions,
  findBinaries,
  findBinary,
  matchesVersion,
  missingBinary,
  MissingBinaryError,
  toolsDirectory,
  type Binary,
  type BinaryName,
} from './binaries.ts';
export { runEtcdctl, runEtcdutl, type EtcdctlTarget } from './etcdctl.ts';
export { LocalEtcdMember, type EtcdMemberPlan, type EtcdTls } from './etcd-member.ts';
export { eventually, type EventuallyOptions } from './eventually.ts';
export { freePorts } from './free-port.ts';
export { type OssAccount, type OssSignatureVersion } from './oss-access.ts';
export { ossCrc64 } from './oss-crc64.ts';
export { type OssFault, type OssFaultEffect } from './oss-faults.ts';
export { OssServer, type OssServerOptions } from './oss-server.ts';
export { type OssBucket, type OssLifecycleRule } from './oss-state.ts';
export { type S3Account } from './s3-access.ts';
export { type S3Conditions } from './s3-object-routes.ts';
export { type S3Request } from './s3-request.ts';
export { S3Server, type S3ServerOptions } from './s3-server.ts';
export { type S3Bucket, type S3LifecycleRule, type S3Object, type S3Upload } from './s3-state.ts';
export { type ServerFault, type ServerFaultEffect } from './server-faults.ts';
export { spawnGuarded, type GuardedProcess, type SpawnGuardedOptions } from './guarded-process.ts';
export { SERVICE_NODE_FLAGS, serviceEnvironment } from './service-runtime.ts';
export { initialClusterOf, planMembers, startEtcd, type LocalEtcd, type StartEtcdOptions } from './start-etcd.ts';
export { type StorageSeen } from './storage-server.ts';
export { findVersitygw, startVersitygw, type LocalS3Gateway } from './start-versitygw.ts';
export { tempDir, type TempDir } from './temp-dir.ts';
