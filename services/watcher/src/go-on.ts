import { EtcdOpsError, isEtcdOpsError } from '@etcd-ops/core';
import { BEFORE_WATCH, type ForkEvidence, type RaftProgress } from './continuation.ts';
import type { ResumePoint } from './resume-point.ts';
import type { NewHistory, OpenWatch, SessionTools } from './session-tools.ts';
import { settleAnchor } from './settle-anchor.ts';

/** Opens the watch from L itself and goes on, if the cluster does; else says which new history begins. */
export async function goOn(resume: ResumePoint, tools: SessionTools): Promise<OpenWatch | NewHistory> {
  const { context, settings, voice, signal } = tools;
  const { timeline, revision, digest } = resume;
  const { evidence, clusterId } = await checkBeforeWatch(resume, tools);
  if (evidence !== undefined) return fork(resume, evidence, tools);
  const watch = tools.openWatch(revision, digest);
  const settled = await settleAnchor(watch, digest, { ...settings, clock: context.clock, signal });
  if (settled.decision === 'fork') return fork(resume, settled.evidence, tools);
  if (settled.decision === 'gap') {
    return { cause: 'gap', timeline, after: revision, compacted: settled.compactRevision ?? revision };
  }
  const { source } = resume;
  voice.logger.info(
    { timeline, revision, source, proven: settled.proven },
    settled.proven ? 'Capture goes on' : 'Capture goes on; its last revision could not be compared',
  );
  // Readers of an empty stream learn here what its rows hang on.
  if (source !== 'stream') await announceResume(resume, clusterId, tools);
  return { watch, point: { timeline, clusterId, revision, digest, digestRows: watch.overlap.seen?.rowCount ?? 0 } };
}

async function checkBeforeWatch(
  resume: ResumePoint,
  { member, memory }: SessionTools,
): Promise<{ evidence?: ForkEvidence; clusterId: bigint }> {
  const { clusterId, memberId, revision } = await member.linearizableRead();
  const identity = resume.clusterId === undefined || resume.clusterId === clusterId ? 'same' : 'other';
  const head = revision >= resume.revision ? 'reached' : 'below';
  // After the linearizable read, so that the member has applied what it is compared with.
  const raftIndex = await member.status().then(
    ({ raftIndex: index }) => index,
    (error: unknown) => {
      // etcd 3.5.30 tells it to the role root alone.
      if (isEtcdOpsError(error, 'ETCD_AUTH')) return undefined;
      throw error;
    },
  );
  const raft: RaftProgress = raftIndex === undefined ? 'unknown' : memory.compareRaftIndex(memberId, raftIndex);
  const decided = BEFORE_WATCH[identity][head][raft];
  if (decided.decision === 'fork') return { evidence: decided.evidence, clusterId };
  if (raftIndex !== undefined) memory.rememberRaftIndex(memberId, raftIndex);
  return { clusterId };
}

function fork(resume: ResumePoint, evidence: ForkEvidence, { voice }: SessionTools): NewHistory {
  const { timeline, revision, newestTimeline } = resume;
  const error = new EtcdOpsError('CLUSTER_FORKED', {
    message: `${voice.cluster} does not go on from revision ${revision} of timeline ${timeline}: ${evidence}`,
  });
  voice.logger.warn({ error, timeline, revision, evidence }, 'The cluster forked');
  return { cause: 'fork', timeline: newestTimeline + 1, after: revision };
}

async function announceResume(
  { timeline, revision, digest }: ResumePoint,
  clusterId: bigint,
  { writer, context, voice }: SessionTools,
): Promise<void> {
  await writer.publish({
    kind: 'start',
    timeline,
    clusterId,
    revision,
    digest,
    cause: 'resume',
    after: revision,
    observedMs: context.clock.now(),
  });
  voice.metrics.starts.add({ cluster: voice.cluster, cause: 'resume' });
}
