import type { LeaseRecord } from '../mvcc/lease-record.ts';
import type { Revision } from '../mvcc/revision.ts';

export interface LeasePlanInput {
  /** The revision that is restored. */
  revision: Revision;
  /** Granted TTLs, in seconds, of the leases that the full holds. */
  base: ReadonlyMap<bigint, number>;
  /** Lease records of the deltas, in their order; those asked after `revision` too. */
  records: readonly LeaseRecord[];
  /** Leases that rows up to `revision` name, each with the last revision that does. */
  referenced: ReadonlyMap<bigint, Revision>;
  unknownTtlSeconds: number;
}

export interface LeasePlan {
  /** TTL in seconds by lease, ascending by id as bytes: the rows to write. */
  ttlSeconds: Map<bigint, number>;
  kept: number;
  fromDeltas: number;
  /** Leases whose TTL nobody learned. */
  unknown: bigint[];
}

/**
 * Which leases a restored store holds. A key whose lease is missing would never expire, so every lease that a row names is
 * there, with an assumed TTL if need be. A lease too many is harmless: it runs out.
 */
export function planLeases(input: LeasePlanInput): LeasePlan {
  const facts = gatherFacts(input);
  const plan: LeasePlan = { ttlSeconds: new Map(), kept: 0, fromDeltas: 0, unknown: [] };
  const candidates = new Set([...input.base.keys(), ...input.referenced.keys()]);
  for (const [id, fact] of facts) if (fact.known !== undefined) candidates.add(id);
  for (const id of [...candidates].toSorted(compareAsBytes)) {
    const fact = facts.get(id);
    if (fact?.gone !== undefined && !usedAfter(id, fact.gone, fact, input)) continue;
    const base = input.base.get(id);
    // Newest knowledge first: an id can be granted again with another TTL.
    const fromDelta =
      fact?.known?.grantedTtlSeconds ?? (base === undefined ? fact?.later?.grantedTtlSeconds : undefined);
    if (fromDelta !== undefined) plan.fromDeltas++;
    else if (base !== undefined) plan.kept++;
    else plan.unknown.push(id);
    plan.ttlSeconds.set(id, fromDelta ?? base ?? input.unknownTtlSeconds);
  }
  return plan;
}

interface LeaseFacts {
  /** The newest answer with a TTL that is not later than the revision. */
  known?: LeaseRecord;
  /** The oldest answer with a TTL that is later. */
  later?: LeaseRecord;
  /** The newest revision, not later, at which it was gone. */
  gone?: Revision;
}

function gatherFacts({ records, revision }: LeasePlanInput): Map<bigint, LeaseFacts> {
  const facts = new Map<bigint, LeaseFacts>();
  for (const record of records) {
    const fact = facts.get(record.id) ?? {};
    const inTime = record.askedAtRevision <= revision;
    const { askedAtRevision } = record;
    if (record.source === 'gone') {
      if (inTime) fact.gone = Math.max(fact.gone ?? 0, askedAtRevision);
    } else if (record.grantedTtlSeconds > 0 && inTime) {
      if (fact.known === undefined || fact.known.askedAtRevision <= askedAtRevision) fact.known = record;
    } else if (record.grantedTtlSeconds > 0) {
      if (fact.later === undefined || fact.later.askedAtRevision > askedAtRevision) fact.later = record;
    }
    facts.set(record.id, fact);
  }
  return facts;
}

/** True when the lease was seen again after it had been gone: granted anew under its old id. */
function usedAfter(id: bigint, gone: Revision, fact: LeaseFacts, input: LeasePlanInput): boolean {
  return (input.referenced.get(id) ?? 0) > gone || (fact.known?.askedAtRevision ?? 0) > gone;
}

function compareAsBytes(left: bigint, right: bigint): number {
  const a = BigInt.asUintN(64, left);
  const b = BigInt.asUintN(64, right);
  return a < b ? -1 : a > b ? 1 : 0;
}
