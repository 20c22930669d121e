import type { ProofEntry, StoredProof } from './read-proofs.ts';
import type { ProofRecord } from './proof-record.ts';

/** A chain that the cluster vouched for: a full of it, a witness or the cluster itself gave the same hash. */
export interface ProvenChain extends StoredProof {
  /** Up to this revision; the chain may go on behind it. */
  provenTo: number;
}

/** Whether a full is there whose manifest says that a member of the cluster gave it. */
type AsksOrigin = (fullKey: string) => Promise<boolean>;

/** Of one full, proofs older than these are not looked for. */
const PROOFS_READ_MAX = 5;

/**
 * What is proven of each full: by its newest chain proof that decided anything. One that is `open` takes nothing back, for it found the
 * chain sound and had nothing to hold it against.
 * @param entries all proofs, newest first.
 * @param fulls one entry of each full to look at.
 */
export async function provenChainsOf(
  entries: readonly ProofEntry[],
  fulls: readonly ProofEntry[],
  {
    readOne,
    isOfClusterFull,
  }: { readOne: (key: string) => Promise<ProofRecord | undefined>; isOfClusterFull: AsksOrigin },
): Promise<ProvenChain[]> {
  const found: ProvenChain[] = [];
  for (const full of fulls) {
    const decided = entries.filter((one) => one.proof === 'chain' && isSameFull(one, full) && one.verdict !== 'open');
    for (const { key, verdict } of decided.slice(0, PROOFS_READ_MAX)) {
      if (verdict === 'failed') break;
      const record = await readOne(key);
      const provenTo = record === undefined ? undefined : await provenToOf(record, isOfClusterFull);
      if (provenTo === undefined) continue;
      found.push({ key, record: record!, provenTo });
      break;
    }
  }
  return found.toSorted((left, right) => Date.parse(right.record.provedAt) - Date.parse(left.record.provedAt));
}

/** The record, `open` if it calls itself `ok` and nothing of the cluster was held against it. */
export async function vouched(record: ProofRecord, isOfClusterFull: AsksOrigin): Promise<ProofRecord> {
  if (record.verdict !== 'ok' || (await provenToOf(record, isOfClusterFull)) !== undefined) return record;
  const problem = 'It was held only against what was made of backups, which says nothing about them';
  return { ...record, verdict: 'open', problem };
}

/** Up to where the cluster vouched for a chain; undefined: nowhere. Older records do not say it, and may have taken products for fulls of the cluster. */
async function provenToOf(
  { verdict, provenTo, comparisons = [] }: ProofRecord,
  isOfClusterFull: AsksOrigin,
): Promise<number | undefined> {
  if (verdict !== 'ok') return undefined;
  if (provenTo !== undefined) return provenTo;
  let highest: number | undefined;
  for (const { with: other, key, revision, outcome } of comparisons) {
    if (outcome !== 'equal' || revision <= (highest ?? 0)) continue;
    if (other !== 'full' || (key !== undefined && (await isOfClusterFull(key)))) highest = revision;
  }
  return highest;
}

function isSameFull(left: ProofEntry, right: ProofEntry): boolean {
  return left.timeline === right.timeline && left.revision === right.revision && left.createdAtMs === right.createdAtMs;
}
