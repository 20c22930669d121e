import { EtcdOpsError, type Revision } from '@etcd-ops/core';
import type { WatchEnd } from '@etcd-ops/etcd-client';
import { cancelled, type Clock } from '@etcd-ops/service-kit';
import type { CaptureWatch } from './capture-watch.ts';
import { AT_FIRST_ANSWER, type AtFirstAnswer, type FirstAnswer } from './continuation.ts';
import type { OverlapOutcome } from './overlap-check.ts';

export interface AnchorLimits {
  /** How long the first rows may take before the compact revision is asked for. */
  anchorWaitMs: number;
  /** How long they may take at all. */
  anchorWaitMsMax: number;
}

export interface AnchorOptions extends AnchorLimits {
  clock: Clock;
  signal: AbortSignal;
}

export type SettledAnchor = Exclude<AtFirstAnswer, { decision: 'wait' }> & {
  answer: FirstAnswer;
  /** C, where the watch named it. */
  compactRevision?: Revision;
};

/**
 * Waits for the first answer of a watch that began at L, and decides whether the cluster goes on from there.
 * @throws EtcdOpsError ETCD_TIMEOUT when nothing comes although it must, or what ended the watch.
 */
export async function settleAnchor(
  watch: CaptureWatch,
  recorded: string | null,
  options: AnchorOptions,
): Promise<SettledAnchor> {
  // Without a record there is nothing to wait for; a compaction that overtook L still shows as the end of the watch.
  if (recorded === null) return { decision: 'continue', proven: false, answer: 'uncompared' };
  const deadlineMs = options.clock.now() + options.anchorWaitMsMax;
  for (;;) {
    const { answer, compactRevision } = await firstAnswer(watch, options);
    const compaction = answer === 'same' || answer === 'compacted' ? 'below' : await compactionAt(watch);
    const decided = AT_FIRST_ANSWER[answer][compaction];
    if (decided.decision !== 'wait') {
      return { ...decided, answer, ...(compactRevision === undefined ? {} : { compactRevision }) };
    }
    if (options.clock.now() >= deadlineMs) throw silent(watch.overlap.anchor, options.anchorWaitMsMax);
  }
}

/**
 * The digest of the rows at `anchor`, where a new history begins; null when the member may not hold all of them (C = anchor).
 * `compacted` when a compaction overtook the anchor meanwhile: take a later one.
 */
export async function learnAnchor(
  watch: CaptureWatch,
  options: AnchorOptions,
): Promise<{ digest: string | null } | 'compacted'> {
  // Nothing was ever written: the first row of a store has revision 2.
  if (watch.overlap.anchor <= 1) return { digest: null };
  const deadlineMs = options.clock.now() + options.anchorWaitMsMax;
  for (;;) {
    const { answer } = await firstAnswer(watch, options);
    if (answer === 'compacted') return 'compacted';
    if ((await compactionAt(watch)) === 'reached') return { digest: null };
    if (answer !== 'nothing') return { digest: watch.overlap.seen?.digest ?? null };
    if (options.clock.now() >= deadlineMs) throw silent(watch.overlap.anchor, options.anchorWaitMsMax);
  }
}

async function firstAnswer(
  watch: CaptureWatch,
  { clock, anchorWaitMs, signal }: AnchorOptions,
): Promise<{ answer: FirstAnswer; compactRevision?: Revision }> {
  const waiting = new AbortController();
  const timer = clock.sleep(anchorWaitMs, AbortSignal.any([signal, waiting.signal])).then(
    () => 'nothing' as const,
    () => 'nothing' as const,
  );
  try {
    const first: OverlapOutcome | 'nothing' | WatchEnd = await Promise.race([
      watch.overlap.settled,
      watch.closed,
      timer,
    ]);
    if (signal.aborted) throw cancelled(signal.reason);
    if (typeof first === 'string') return { answer: first };
    // The rows may have come in the same turn in which the watch ended.
    if (watch.overlap.outcome !== undefined) return { answer: watch.overlap.outcome };
    return { answer: 'compacted', compactRevision: compactRevisionOf(first) };
  } finally {
    waiting.abort();
  }
}

/** @throws what ended a watch for another reason than a compaction. */
function compactRevisionOf(end: WatchEnd): Revision {
  if (end.kind === 'canceled' && end.compactRevision !== undefined && end.compactRevision > 0) {
    return end.compactRevision;
  }
  if (end.kind === 'error') throw end.error;
  const reason = end.kind === 'canceled' ? end.reason : 'it was aborted';
  throw new EtcdOpsError(end.kind === 'aborted' ? 'CANCELLED' : 'ETCD_FAILED', {
    message: `The watch ended before its first rows: ${reason}`,
  });
}

/** Where C of the watch's own member stands, asked after its answer came: it only moves up. */
async function compactionAt(watch: CaptureWatch): Promise<'below' | 'reached'> {
  return (await watch.member.readAt(watch.overlap.anchor - 1)) === 'ok' ? 'below' : 'reached';
}

function silent(anchor: Revision, waitedMs: number): EtcdOpsError {
  return new EtcdOpsError('ETCD_TIMEOUT', {
    message: `The watch from revision ${anchor} delivered nothing in ${waitedMs} ms`,
  });
}
