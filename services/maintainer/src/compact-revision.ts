import { EtcdOpsError } from '@etcd-ops/core';
import type { CallOptions, EtcdMember, WatchSink } from '@etcd-ops/etcd-client';

const NOTHING: WatchSink = { created: () => {}, row: () => {}, batch: () => {}, progress: () => {} };

/**
 * C of a member, without a scan of its rows; -1 when it was never compacted. `known`: a C of the past: when the state there can still be
 * read, nothing was compacted since.
 *
 * The state at C can be read and the one below cannot; a watch from below C is refused at once with C. It must not be tried where nothing
 * was compacted: it would begin to deliver all there is.
 * @throws EtcdOpsError of etcd.
 */
export async function compactRevisionOf(member: EtcdMember, known: number, options: CallOptions): Promise<number> {
  if ((await member.readAt(Math.max(1, known), options)) === 'ok') return known;
  const watch = member.watch({
    startRevision: 1,
    signal: options.signal,
    createTimeoutMs: options.timeoutMs,
    sink: NOTHING,
  });
  const end = await watch.closed;
  if (end.kind === 'canceled' && end.compactRevision !== undefined) return end.compactRevision;
  if (end.kind === 'error') throw end.error;
  const message = `${member.endpoint} did not say where it is compacted`;
  throw new EtcdOpsError(end.kind === 'aborted' ? 'CANCELLED' : 'ETCD_FAILED', { message });
}
