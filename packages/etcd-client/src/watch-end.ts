import { status } from '@grpc/grpc-js';
import { EtcdOpsError, isEtcdOpsError } from '@etcd-ops/core';
import type { EtcdConnection, RpcMethod } from './grpc/connection.ts';
import type { CallStatus } from './grpc/etcd-failure.ts';

export const WATCH_METHOD: RpcMethod = { service: 'Watch', name: 'Watch' };

export type WatchEnd =
  /** etcd refused or ended the watch. `compactRevision`: history below it is gone. */
  | { kind: 'canceled'; compactRevision?: number; reason: string }
  | { kind: 'error'; error: EtcdOpsError }
  /** `cancel`, or the signal. */
  | { kind: 'aborted' };

/** The end of a stream that its server ended. etcd never does so with OK by itself: then it went away. */
export function endOfStream(connection: EtcdConnection, outcome: CallStatus): WatchEnd {
  const failure = outcome.code === status.OK ? { code: status.UNAVAILABLE, details: 'the stream ended' } : outcome;
  return { kind: 'error', error: connection.failure(WATCH_METHOD, failure) };
}

/** The end of a watch in which something was thrown, or whose owner turned away. */
export function endOfFailure(connection: EtcdConnection, error: unknown, signal: AbortSignal | undefined): WatchEnd {
  if (signal?.aborted === true) return { kind: 'aborted' };
  if (isEtcdOpsError(error)) return { kind: 'error', error };
  const message = `The watch at ${connection.endpoint} failed`;
  return { kind: 'error', error: new EtcdOpsError('ETCD_FAILED', { message, cause: error }) };
}

/**
 * Tells the owner of the end. On a connection that was closed everything fails within one turn of the event loop: an owner that opens
 * the next watch at once would starve all timers and sockets, so an error is told in a later turn.
 */
export function tellEnd(end: WatchEnd, resolve: (end: WatchEnd) => void): void {
  if (end.kind === 'error') setImmediate(() => resolve(end));
  else resolve(end);
}
