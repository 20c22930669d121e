import { credentials, type ChannelCredentials, type ChannelOptions } from '@grpc/grpc-js';
import type { EtcdAddress, EtcdTlsAccess } from '../access.ts';
import type { TlsMaterial } from './tls-files.ts';

/** HTTP/2 stream and session window: 64 KiB (the default) costs a third of the throughput. */
export const FLOW_CONTROL_WINDOW_BYTES = 4 * 1024 * 1024;
/** The largest message accepted. A watch response beyond it ends in LIMIT_EXCEEDED: watch again with `fragment`. */
export const RECEIVE_MESSAGE_BYTES_MAX = 64 * 1024 * 1024;
/** etcd refuses pings more often than every 5 s (--grpc-keepalive-min-time). */
export const KEEPALIVE_TIME_MS = 10_000;
export const KEEPALIVE_TIMEOUT_MS = 10_000;
const RECONNECT_BACKOFF_MIN_MS = 100;
const RECONNECT_BACKOFF_MAX_MS = 2_000;

export function channelOptions(): ChannelOptions {
  return {
    'grpc-node.flow_control_window': FLOW_CONTROL_WINDOW_BYTES,
    'grpc.max_receive_message_length': RECEIVE_MESSAGE_BYTES_MAX,
    'grpc.max_send_message_length': RECEIVE_MESSAGE_BYTES_MAX,
    'grpc.keepalive_time_ms': KEEPALIVE_TIME_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
    'grpc.initial_reconnect_backoff_ms': RECONNECT_BACKOFF_MIN_MS,
    'grpc.max_reconnect_backoff_ms': RECONNECT_BACKOFF_MAX_MS,
    // The one retry layer is the caller's; members are spoken to directly; a channel's connection is its own.
    'grpc.enable_retries': 0,
    'grpc.enable_http_proxy': 0,
    'grpc.service_config_disable_resolution': 1,
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_channelz': 0,
  };
}

/** Certificates of the server are verified unless the user said otherwise. */
export function channelCredentials(
  address: EtcdAddress,
  tls: EtcdTlsAccess | undefined,
  material: TlsMaterial | undefined,
): ChannelCredentials {
  if (!address.secure || material === undefined) return credentials.createInsecure();
  const rejectUnauthorized = tls?.insecureSkipVerify !== true;
  return credentials.createFromSecureContext(material.context, { rejectUnauthorized });
}
