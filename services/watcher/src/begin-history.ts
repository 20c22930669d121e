import { EtcdOpsError } from '@etcd-ops/core';
import type { NewHistory, OpenWatch, SessionTools } from './session-tools.ts';
import { learnAnchor } from './settle-anchor.ts';

/** How often a compaction may overtake the beginning before the session gives up. */
const BEGIN_TRIES_MAX = 10;

/**
 * Begins a history at the cluster's linearizable head: nothing old is touched, a `start` says so in the stream, and a full
 * snapshot is asked for at once, since rows above the head are worth nothing without a base.
 */
export async function beginHistory(history: NewHistory, tools: SessionTools): Promise<OpenWatch> {
  const { member, settings, context, voice, writer, signal, memory } = tools;
  const { cause, timeline, after, compacted } = history;
  memory.forgetRaftIndexes();
  for (let tries = 0; tries < BEGIN_TRIES_MAX; tries++) {
    const { revision, clusterId } = await member.linearizableRead();
    const watch = tools.openWatch(revision, null);
    const learned = await learnAnchor(watch, { ...settings, clock: context.clock, signal });
    if (learned === 'compacted') continue;
    const { digest } = learned;
    await writer.publish({
      kind: 'start',
      timeline,
      clusterId,
      revision,
      digest,
      cause,
      ...(after === undefined ? {} : { after }),
      ...(compacted === undefined ? {} : { compacted }),
      observedMs: context.clock.now(),
      leasesAskedTo: revision,
    });
    voice.metrics.starts.add({ cluster: voice.cluster, cause });
    const level = cause === 'first' ? 'info' : 'warn';
    voice.logger[level]({ cause, timeline, revision, after, compacted }, 'A new history begins');
    tools.wantFull(cause);
    return { watch, point: { timeline, clusterId, revision, digest, digestRows: watch.overlap.seen?.rowCount ?? 0 } };
  }
  throw new EtcdOpsError('ETCD_COMPACTED', {
    message: `Each of ${BEGIN_TRIES_MAX} heads of ${voice.cluster} was compacted before it could be watched`,
  });
}
