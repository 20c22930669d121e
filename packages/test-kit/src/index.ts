export {
  compareVersions,
  distinctEtcdVersions,
  etcdVersions,
  eventually,
  findBinaries,
  findBinary,
  findVersitygw,
  freePorts,
  initialClusterOf,
  LocalEtcdMember as TestEtcdMember,
  matchesVersion,
  missingBinary,
  OssServer,
  planMembers,
  runEtcdctl,
  runEtcdutl,
  S3Server,
  SERVICE_NODE_FLAGS,
  serviceEnvironment,
  spawnGuarded,
  startEtcd,
  startVersitygw,
  tempDir,
  toolsDirectory,
  type Binary,
  type BinaryName,
  type EtcdctlTarget,
  type EtcdMemberPlan,
  type EtcdTls,
  type EventuallyOptions,
  type GuardedProcess,
  type LocalEtcd as TestEtcd,
  type LocalS3Gateway,
  type OssAccount,
  type OssFault,
  type S3Account,
  type SpawnGuardedOptions,
  type StartEtcdOptions,
  type TempDir,
} from '@etcd-ops/local-servers';
export { missingServers } from './missing-servers.ts';
export { createAuthority, missingOpenssl, type Authority, type CertificateFiles } from './certificates.ts';
export { cutTail } from './cut-tail.ts';
export { EtcdStandIn, type EtcdStandInOptions } from './etcd-stand-in/etcd-stand-in.ts';
export { faultProxy, type FaultProxy, type Faults } from './fault-proxy.ts';
export { faultyStore, type FaultyStore, type StoreCall, type StoreFault } from './faulty-store.ts';
export { HARD_LOAD_FLAGS, hardLoad, type HardLoadOptions, type HardLoadReport } from './hard-load.ts';
export { type HardLoadOperation } from './hard-load-operations.ts';
export { Random } from '@etcd-ops/core';
export {
  NATS_VERSIONS,
  natsOrSkip,
  startNats,
  startNatsCluster,
  type StartNatsOptions,
  type TestNats,
  type TestNatsCluster,
} from './start-nats.ts';
export { createNatsOperator, type JwtUser, type NatsOperator } from './nats-operator.ts';
export { WatchRows } from './watch-rows.ts';
