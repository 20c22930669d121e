import { decodeClusterName, encodeClusterName } from './cluster-name.ts';
import { digits, REVISION_DIGITS, TIME_DIGITS, TIMELINE_DIGITS } from './key-digits.ts';
import { PROOF_KINDS, PROOF_VERDICTS, type ProofKind, type ProofVerdict } from './proof-record.ts';

export interface ProofKeyFacts {
  cluster: string;
  timeline: number;
  /** S and the time of the full that the proof is about: these name it. */
  revision: number;
  createdAtMs: number;
  provedAtMs: number;
  proof: ProofKind;
  /** In the name, so that a listing alone tells of a failure. */
  verdict: ProofVerdict;
}

export interface WitnessKeyFacts {
  cluster: string;
  timeline: number;
  revision: number;
  askedAtMs: number;
  /** Lower-case hex. */
  memberId: string;
}

export type ParsedEvidenceKey = ({ kind: 'proof' } & ProofKeyFacts) | ({ kind: 'witness' } & WitnessKeyFacts);

/** `<cluster>/proof/`: the proofs of all timelines, in one listing. */
export function proofPrefix(cluster: string): string {
  return `${encodeClusterName(cluster)}/proof/`;
}

/** `<cluster>/witness/`. */
export function witnessPrefix(cluster: string): string {
  return `${encodeClusterName(cluster)}/witness/`;
}

/** `<cluster>/proof/t<timeline>-<S>-<ms of the full>-<ms of the proof>-<edge|chain>-<ok|failed|open>.json`. */
export function proofKey(facts: ProofKeyFacts): string {
  const name = [
    placeOf(facts),
    digits(facts.createdAtMs, TIME_DIGITS),
    digits(facts.provedAtMs, TIME_DIGITS),
    facts.proof,
    facts.verdict,
  ].join('-');
  return `${proofPrefix(facts.cluster)}${name}.json`;
}

/** `<cluster>/witness/t<timeline>-<revision>-<ms when asked>-<member id>.json`. */
export function witnessKey(facts: WitnessKeyFacts): string {
  return `${witnessPrefix(facts.cluster)}${placeOf(facts)}-${digits(facts.askedAtMs, TIME_DIGITS)}-${facts.memberId}.json`;
}

const PROOF = new RegExp(
  String.raw`^([^/]+)/proof/t(\d{8})-(\d{20})-(\d{13})-(\d{13})-(${PROOF_KINDS.join('|')})-(${PROOF_VERDICTS.join('|')})\.json$`,
);
const WITNESS = /^([^/]+)\/witness\/t(\d{8})-(\d{20})-(\d{13})-(0|[1-9a-f][0-9a-f]{0,15})\.json$/;

/** What a key of a proof or witness says; undefined for every key that is not written so. */
export function parseEvidenceKey(key: string): ParsedEvidenceKey | undefined {
  const parsed = parseProofKey(key) ?? parseWitnessKey(key);
  if (parsed === undefined || parsed.timeline === 0 || parsed.revision === 0) return undefined;
  if (parsed.revision > Number.MAX_SAFE_INTEGER) return undefined;
  return (parsed.kind === 'proof' ? proofKey(parsed) : witnessKey(parsed)) === key ? parsed : undefined;
}

function parseProofKey(key: string): ParsedEvidenceKey | undefined {
  const [, name, timeline, revision, createdAtMs, provedAtMs, proof, verdict] = PROOF.exec(key) ?? [];
  const cluster = decodeClusterName(name ?? '');
  if (cluster === undefined) return undefined;
  return {
    kind: 'proof',
    cluster,
    timeline: Number(timeline),
    revision: Number(revision),
    createdAtMs: Number(createdAtMs),
    provedAtMs: Number(provedAtMs),
    proof: proof as ProofKind,
    verdict: verdict as ProofVerdict,
  };
}

function parseWitnessKey(key: string): ParsedEvidenceKey | undefined {
  const [, name, timeline, revision, askedAtMs, memberId] = WITNESS.exec(key) ?? [];
  const cluster = decodeClusterName(name ?? '');
  if (cluster === undefined || memberId === undefined) return undefined;
  return {
    kind: 'witness',
    cluster,
    timeline: Number(timeline),
    revision: Number(revision),
    askedAtMs: Number(askedAtMs),
    memberId,
  };
}

function placeOf({ timeline, revision }: { timeline: number; revision: number }): string {
  return `t${digits(timeline, TIMELINE_DIGITS)}-${digits(revision, REVISION_DIGITS)}`;
}
