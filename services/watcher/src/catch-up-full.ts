import { lastDone, lastDoneKey, type LastDone } from '@etcd-ops/bus';
import { DeltaCoverage, EtcdOpsError, readInventory, type Inventory, type Revision } from '@etcd-ops/core';
import { requestFull } from './full-request.ts';
import type { CapturedPoint } from './resume-point.ts';
import type { SessionTools } from './session-tools.ts';

/** A full of the repository that lies behind L, and what it means for the history. */
export interface CaughtUp {
  /** `covered`: deltas hold every revision between; `gap`: a compaction took some of them for ever. */
  kind: 'covered' | 'gap';
  /** S. */
  revision: Revision;
  /** C; -1 when never compacted. */
  compactRevision: Revision;
  digest: string | null;
}

/**
 * Looks whether the repository reaches behind L: then capture can go on from there. The newest full with S > L counts if deltas
 * cover (L, S], or if the cluster was compacted beyond L meanwhile: then those revisions are gone, and that full is the new base.
 */
export function findCaughtUp(inventory: Inventory, { timeline, revision }: CapturedPoint): CaughtUp | undefined {
  const found = inventory.timelines.find((one) => one.timeline === timeline);
  const reached = new DeltaCoverage(found?.deltas ?? []).reachFrom(revision);
  const behind = (found?.fulls ?? []).filter((full) => full.revision > revision).toReversed();
  const answer = (kind: CaughtUp['kind'], full: (typeof behind)[number]): CaughtUp => {
    const { compactRevision, lastRevisionDigest: digest } = full.manifest;
    return { kind, revision: full.revision, compactRevision, digest };
  };
  const covered = behind.find((full) => full.revision <= reached);
  if (covered !== undefined) return answer('covered', covered);
  const [newest] = behind;
  return newest !== undefined && newest.manifest.compactRevision > revision ? answer('gap', newest) : undefined;
}

/**
 * Lets the uploader take a full and write the deltas from L to it, and waits for that. The watch is not open meanwhile: etcd
 * serves one sequential read of its file and nothing else.
 * @returns `forked` when the file does not hold the rows of L.
 * @throws EtcdOpsError when the full cannot be taken; CANCELLED.
 */
export async function catchUpByFull(
  point: CapturedPoint,
  tools: SessionTools,
  onWaiting: () => Promise<void>,
): Promise<CaughtUp | 'forked'> {
  const { context, spec, voice, settings, signal } = tools;
  const look = async (): Promise<CaughtUp | undefined> =>
    findCaughtUp(await readInventory(await context.openStore(spec.store), spec.name, { signal }), point);
  const before = await look();
  if (before !== undefined) return before;
  const delayMs = settings.fullRequestDelayMs;
  const request = { bus: context.bus, cause: 'catch-up', after: point.revision } as const;
  const limitMs = spec.timeouts.snapshotMs + settings.catchUpGraceMs;
  const taskId = await withinLimit(limitMs, signal, (limited) =>
    requestFull({ ...request, voice, clock: context.clock, delayMs, signal: limited }),
  );
  const deadlineMs = context.clock.now() + limitMs;
  let seen: string | undefined;
  while (context.clock.now() < deadlineMs) {
    const done = (await lastDone(context.bus).get(lastDoneKey('full', voice.cluster)))?.value;
    if (done !== undefined && done.finishedAt !== seen) {
      seen = done.finishedAt;
      const found = await look();
      if (found !== undefined) return found;
      if (done.taskId === taskId) return notCaughtUp(done);
    }
    await onWaiting();
    await context.clock.sleep(settings.catchUpPollMs, signal);
  }
  throw new EtcdOpsError('ETCD_TIMEOUT', {
    message: `No full snapshot to catch up ${voice.cluster} with came within ${spec.timeouts.snapshotMs} ms`,
  });
}

/** A queue that stays busy, or a bus that stays away, must not hold up the session for ever: the next one decides anew. */
async function withinLimit<T>(
  limitMs: number,
  signal: AbortSignal,
  work: (limited: AbortSignal) => Promise<T>,
): Promise<T> {
  const limit = AbortSignal.timeout(limitMs);
  try {
    return await work(AbortSignal.any([signal, limit]));
  } catch (cause) {
    if (!limit.aborted || signal.aborted) throw cause;
    const message = `No full snapshot to catch up with could be asked for within ${limitMs} ms`;
    throw new EtcdOpsError('ETCD_TIMEOUT', { message, cause });
  }
}

function notCaughtUp({ ok, summary }: LastDone): 'forked' {
  const failure = summary['failure'];
  const { code, message } = typeof failure === 'object' && failure !== null ? (failure as Record<string, unknown>) : {};
  if (code === 'CLUSTER_FORKED') return 'forked';
  throw new EtcdOpsError('ETCD_FAILED', {
    message: ok
      ? 'The full snapshot to catch up with does not go on from the captured revisions'
      : `The full snapshot to catch up with failed: ${typeof message === 'string' ? message : 'unknown'}`,
  });
}
