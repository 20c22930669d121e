import { decodeDelta } from '../delta/decode-delta.ts';
import { DeltaEncoder } from '../delta/delta-encoder.ts';
import type { FinishedDelta } from './put-delta.ts';

/** The same delta, its newest observed time so much later. */
export async function withLaterEnd(delta: FinishedDelta, laterMs: number): Promise<FinishedDelta> {
  const { facts, rowBlocks, leases, times } = await decodeDelta(delta.bytes);
  const { clusterId, timeline, epoch, codec } = facts;
  const encoder = new DeltaEncoder({ clusterId, timeline, epoch, codec });
  for (const block of rowBlocks) encoder.addRows(block);
  encoder.addLeases(leases);
  for (const { revision, observedMs } of times.slice(0, -1)) encoder.addTime(revision, observedMs);
  encoder.addTime(facts.lastRevision, facts.lastObservedMs + laterMs);
  return encoder.finish();
}
