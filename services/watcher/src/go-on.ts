import { EtcdOpsError, isEtcdOpsError, plainDigest, type Revision } from '@etcd-ops/core';
import { catchUpByFull } from './catch-up-full.ts';
import { chooseWay, type CatchUpWay } from './catch-up-way.ts';
import { BEFORE_WATCH, type ForkEvidence, type RaftProgress } from './continuation.ts';
import type { ResumePoint } from './resume-point.ts';
import type { NewHistory, OpenWatch, SessionTools } from './session-tools.ts';
import { settleAnchor } from './settle-anchor.ts';

/** Opens the watch from L itself and goes on, if the cluster does; else says which new history begins. */
export async function goOn(resume: ResumePoint, tools: SessionTools): Promise<OpenWatch | NewHistory> {
  if (resume.timeline < resume.newestTimeline) return fork(resume, 'timeline-begun', tools);
  let point = resume;
  let behindBefore: number | undefined;
  for (;;) {
    const { evidence, ...seen } = await checkBeforeWatch(point, tools);
    if (evidence !== undefined) return fork(point, evidence, tools);
    const way = await chooseWayFrom(point, { ...seen, behindBefore }, tools);
    tools.voice.metrics.catchUps.add({ cluster: tools.voice.cluster, way: way.way });
    if (way.way === 'snapshot') {
      const caughtUp = await catchUpBySnapshot(point, way.reason, seen, tools);
      behindBefore = seen.headRevision - point.revision;
      if (caughtUp !== undefined) {
        point = caughtUp;
        continue;
      }
    }
    return await watchFrom(point, seen, way, tools);
  }
}

interface SeenBefore {
  clusterId: bigint;
  headRevision: Revision;
  dbBytes: number | undefined;
  version: string | undefined;
}

async function watchFrom(
  point: ResumePoint,
  { clusterId, headRevision, version }: SeenBefore,
  way: CatchUpWay,
  tools: SessionTools,
): Promise<OpenWatch | NewHistory> {
  const { context, settings, voice, signal } = tools;
  const { timeline, revision, digest, source } = point;
  const segments =
    way.way === 'segments'
      ? { headRevision, segmentsMax: way.segmentsMax, revisionBytes: way.revisionBytes }
      : undefined;
  const watch = tools.openWatch(revision, digest, segments);
  const settled = await settleAnchor(watch, digest, { ...settings, clock: context.clock, signal });
  if (settled.decision === 'fork') return fork(point, settled.evidence, tools);
  if (settled.decision === 'gap') {
    return { cause: 'gap', timeline, after: revision, compacted: settled.compactRevision ?? revision };
  }
  voice.logger.info(
    { timeline, revision, source, proven: settled.proven, way: way.way, behind: Math.max(0, headRevision - revision) },
    settled.proven ? 'Capture goes on' : 'Capture goes on; its last revision could not be compared',
  );
  // Readers of an empty stream learn here what its rows hang on.
  const known = plainDigest(digest) ?? watch.overlap.seen?.digest ?? null;
  if (source !== 'stream') {
    await announce({ ...point, digest: known }, { cause: 'resume', after: revision, clusterId }, tools);
  }
  const digestRows = watch.overlap.seen?.rowCount ?? 0;
  const inSegments = segments !== undefined;
  return { watch, point: { timeline, clusterId, revision, digest: known, digestRows }, inSegments, version };
}

async function chooseWayFrom(
  { revision }: ResumePoint,
  { headRevision, dbBytes, behindBefore }: SeenBefore & { behindBefore: number | undefined },
  { member, memory, settings }: SessionTools,
): Promise<CatchUpWay> {
  const facts = {
    revisionsBehind: headRevision - revision,
    revisionBytes: memory.revisionBytes,
    dbBytes,
    isCompacted: false,
    revisionsBehindBefore: behindBefore,
  };
  const way = chooseWay(facts, settings);
  if (way.way === 'plain') return way;
  return chooseWay({ ...facts, isCompacted: (await member.readAt(revision)) === 'compacted' }, settings);
}

/** Where capture goes on behind a full; undefined when only the watch from L can say what the cluster is. */
async function catchUpBySnapshot(
  point: ResumePoint,
  reason: string,
  { clusterId, headRevision }: SeenBefore,
  tools: SessionTools,
): Promise<ResumePoint | undefined> {
  const { voice, member } = tools;
  const { timeline, revision } = point;
  const behind = headRevision - revision;
  voice.logger.warn({ timeline, revision, behind, reason }, 'Capture is far behind and catches up by a full snapshot');
  const lag = (head: Revision): void => {
    voice.metrics.headRevision.set({ cluster: voice.cluster }, head);
    voice.metrics.lagRevisions.set({ cluster: voice.cluster }, Math.max(0, head - revision));
  };
  lag(headRevision);
  tools.onWaiting(`${behind} revisions behind: a full snapshot is being taken to catch up with`);
  const caughtUp = await catchUpByFull(point, tools, async () => lag((await member.linearizableRead()).revision));
  if (caughtUp === 'forked') return undefined;
  const { kind, digest, compactRevision } = caughtUp;
  const next: ResumePoint = { ...point, revision: caughtUp.revision, digest, clusterId, source: 'stream' };
  const said = kind === 'gap' ? { cause: kind, compacted: compactRevision } : { cause: 'caught-up' as const };
  await announce(next, { ...said, after: revision, clusterId }, tools);
  voice.logger[kind === 'gap' ? 'warn' : 'info'](
    { timeline, after: revision, revision: next.revision, compactRevision },
    kind === 'gap'
      ? 'Revisions were compacted before they were captured: a gap'
      : 'Capture caught up by a full snapshot',
  );
  return next;
}

async function checkBeforeWatch(
  resume: ResumePoint,
  { member, memory, takeHead }: SessionTools,
): Promise<SeenBefore & { evidence?: ForkEvidence }> {
  const known = takeHead();
  // One from before L was found proves that L is reached, or nothing: L itself may have moved since.
  const isProof = known !== undefined && known.revision >= resume.revision;
  const { clusterId, memberId, revision } = isProof ? known : await member.linearizableRead();
  const identity = resume.clusterId === undefined || resume.clusterId === clusterId ? 'same' : 'other';
  const head = revision >= resume.revision ? 'reached' : 'below';
  // After the linearizable read, so that the member has applied what it is compared with.
  const status = await member.status().catch((error: unknown) => {
    // etcd 3.5.30 tells it to the role root alone.
    if (isEtcdOpsError(error, 'ETCD_AUTH')) return undefined;
    throw error;
  });
  const raft: RaftProgress = status === undefined ? 'unknown' : memory.compareRaftIndex(memberId, status.raftIndex);
  const decided = BEFORE_WATCH[identity][head][raft];
  const seen = { clusterId, headRevision: revision, dbBytes: status?.dbInUseBytes, version: status?.version };
  if (decided.decision === 'fork') return { ...seen, evidence: decided.evidence };
  if (status !== undefined) memory.rememberRaftIndex(memberId, status.raftIndex);
  return seen;
}

function fork(resume: ResumePoint, evidence: ForkEvidence, { voice }: SessionTools): NewHistory {
  const { timeline, revision, newestTimeline } = resume;
  const error = new EtcdOpsError('CLUSTER_FORKED', {
    message: `${voice.cluster} does not go on from revision ${revision} of timeline ${timeline}: ${evidence}`,
  });
  voice.logger.warn({ error, timeline, revision, evidence }, 'The cluster forked');
  return { cause: 'fork', timeline: newestTimeline + 1, after: revision };
}

async function announce(
  { timeline, revision, digest }: ResumePoint,
  said: { cause: 'resume' | 'caught-up' | 'gap'; after: Revision; compacted?: Revision; clusterId: bigint },
  { writer, context, voice, leases }: SessionTools,
): Promise<void> {
  const known = plainDigest(digest);
  const learned = { observedMs: context.clock.now(), leasesAskedTo: leases.askedTo(revision) };
  await writer.publish({ kind: 'start', timeline, revision, digest: known, ...said, ...learned });
  voice.metrics.starts.add({ cluster: voice.cluster, cause: said.cause });
}
