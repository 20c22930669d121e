export {
  compareVersions,
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
export { OssServer, type OssSeen, type OssServerOptions } from './oss-server.ts';
export { type OssBucket, type OssLifecycleRule } from './oss-state.ts';
export { spawnGuarded, type GuardedProcess, type SpawnGuardedOptions } from './guarded-process.ts';
export { initialClusterOf, planMembers, startEtcd, type LocalEtcd, type StartEtcdOptions } from './start-etcd.ts';
export { tempDir, type TempDir } from './temp-dir.ts';
