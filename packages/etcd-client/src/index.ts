export {
  CONNECT_TIMEOUT_DEFAULT_MS,
  parseEndpoint,
  REQUEST_TIMEOUT_DEFAULT_MS,
  type EtcdAccess,
  type EtcdAddress,
  type EtcdAuth,
  type EtcdTlsAccess,
} from './access.ts';
export { EtcdCluster, type PickOptions, type WatchChoice } from './etcd-cluster.ts';
export { EtcdMember, LONG_REQUEST_TIMEOUT_MS, type LeaseFacts, type MemberStatus } from './etcd-member.ts';
export { type MissingRight } from './rights-check.ts';
export { type SnapshotChoice } from './snapshot-choice.ts';
export { type CredentialName } from './grpc/call-rights.ts';
export { FLOW_CONTROL_WINDOW_BYTES, RECEIVE_MESSAGE_BYTES_MAX } from './grpc/channel-options.ts';
export { type CallOptions } from './grpc/connection.ts';
export { openEtcd3 } from './open-etcd3.ts';
export { SNAPSHOT_SILENCE_DEFAULT_MS, type SnapshotOptions } from './snapshot-stream.ts';
export { SegmentedWatch, type SegmentedWatchOptions } from './watch-segments.ts';
export { type SegmentLimits } from './watch-segments-queue.ts';
export { Watch, type WatchOptions, type WatchSink } from './watch.ts';
export type { WatchEnd } from './watch-end.ts';
export {
  type AlarmKind,
  type AuthStatusAnswer,
  type EtcdAlarm,
  type MemberInfo,
  type ResponseHeader,
} from './wire/responses.ts';
export { type RowSink } from './wire/watch-scanner.ts';
