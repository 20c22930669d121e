export {
  compareVersions,
  etcdVersions,
  findBinaries,
  findBinary,
  matchesVersion,
  missingBinary,
  toolsDirectory,
  type Binary,
  type BinaryName,
} from './binaries.ts';
export { runEtcdctl, runEtcdutl, type EtcdctlTarget } from './etcdctl.ts';
export { TestEtcdMember, type EtcdMemberPlan, type EtcdTls } from './etcd-member.ts';
export { eventually, type EventuallyOptions } from './eventually.ts';
export { faultProxy, type FaultProxy, type Faults } from './fault-proxy.ts';
export { faultyStore, type FaultyStore, type StoreCall, type StoreFault } from './faulty-store.ts';
export { freePorts } from './free-port.ts';
export { spawnGuarded, type GuardedProcess, type SpawnGuardedOptions } from './guarded-process.ts';
export { HARD_LOAD_FLAGS, hardLoad, type HardLoadOptions, type HardLoadReport } from './hard-load.ts';
export { type HardLoadOperation } from './hard-load-operations.ts';
export { Random } from './random.ts';
export { initialClusterOf, planMembers, startEtcd, type StartEtcdOptions, type TestEtcd } from './start-etcd.ts';
export { startNats, type StartNatsOptions, type TestNats } from './start-nats.ts';
export { tempDir, type TempDir } from './temp-dir.ts';
export { WatchRows } from './watch-rows.ts';
