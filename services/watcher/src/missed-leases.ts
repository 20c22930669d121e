import { isAlarming, readEvents, streamFacts, type Bus, type LastEvent } from '@etcd-ops/bus';
import { describeError, scanKeyValue, type Revision } from '@etcd-ops/core';
import type { SessionTools } from './session-tools.ts';

/** More is not read again: all leases that live are listed instead. */
const READ_BYTES_MAX = 32 * 1024 * 1024;

/**
 * Asks, beside the capture, about leases that were named up to L and whose answers may have died with the watcher that asked: those
 * that the stream still names, else all that live.
 */
export async function askMissedLeases(
  last: LastEvent | undefined,
  resumeRevision: number,
  { context, voice, leases, memory }: Pick<SessionTools, 'context' | 'voice' | 'leases' | 'memory'>,
  signal: AbortSignal,
): Promise<void> {
  const kept = memory.takeLeases();
  const asked = last === undefined ? undefined : leasesAskedTo(last);
  const after = Math.min(asked ?? 0, resumeRevision);
  if (after === resumeRevision && kept.length === 0) return;
  leases.doubt(after);
  let named: Set<bigint> | undefined;
  let reason: string | undefined;
  try {
    if (last !== undefined && asked !== undefined) {
      named = await leasesNamedAbove(context.bus, voice.cluster, { after, last, signal });
    }
  } catch (error) {
    reason = describeError(error);
  }
  voice.logger.info({ asked, captured: resumeRevision, named: named?.size, reason }, 'Leases are asked about again');
  if (named === undefined) leases.askAll();
  else leases.missed([...kept, ...named]);
}

/** Up to which revision the leases that rows name had been asked about when the last event was written; undefined: nobody knows. */
function leasesAskedTo({ kind, cause, last, leasesAskedTo: said }: LastEvent): Revision | undefined {
  // These bring a full of their own, which holds all leases that live by then.
  const bringsFull = kind === 'start' && (cause === 'first' || cause === 'fork' || cause === 'gap');
  return said ?? (bringsFull ? last : undefined);
}

/**
 * The leases that rows above `after` name, out of the stream; undefined when it does not hold all of these rows any more, or too much.
 * @throws EtcdOpsError BUS_UNREACHABLE or BUS_FAILED
 */
async function leasesNamedAbove(
  bus: Bus,
  cluster: string,
  { after, last, signal }: { after: Revision; last: LastEvent; signal: AbortSignal },
): Promise<Set<bigint> | undefined> {
  const { firstSequence, bytes } = await streamFacts(bus, cluster);
  if (bytes > READ_BYTES_MAX) return undefined;
  const named = new Set<bigint>();
  let reached: Revision | undefined;
  let isWhole = true;
  const events = readEvents(bus, cluster, {
    from: firstSequence,
    to: last.sequence,
    onSkipped: (skipped) => (isWhole &&= !isAlarming(skipped)),
    signal,
  });
  for await (const event of events) {
    if (event.kind === 'start' || event.timeline !== last.timeline) continue;
    const { rows, first } = event;
    reached = Math.min(reached ?? Infinity, first);
    for (let row = rows?.firstRowAbove(after) ?? 0; row < (rows?.rowCount ?? 0); row++) {
      if (rows!.isTombstone(row)) continue;
      const { lease } = scanKeyValue(rows!.value(row));
      if (lease !== 0n) named.add(lease);
    }
  }
  return isWhole && reached !== undefined && reached <= after + 1 ? named : undefined;
}
