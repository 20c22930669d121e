import type { RestorableRange } from '../repository/coverage.ts';
import type { ProofRecord } from '../repository/proof-record.ts';

/**
 * `quick`: the listing and the manifests. `read`: every byte, checksums, structure, neighbours. `prove`: chains are rebuilt in scratch
 * space and hashed as etcd hashes.
 */
export const VERIFY_DEPTHS = ['quick', 'read', 'prove'] as const;
export type VerifyDepth = (typeof VERIFY_DEPTHS)[number];

/**
 * `damaged`: bytes are not what was written. `failed`: two things that must be equal are not. `partial`: sound, but not all can be
 * restored or read here. `note`: nothing to worry about.
 */
export const FINDING_KINDS = ['damaged', 'failed', 'partial', 'note'] as const;
export type FindingKind = (typeof FINDING_KINDS)[number];

export interface Finding {
  kind: FindingKind;
  /** The key of an object, or what else it is about. */
  what: string;
  why: string;
  remedy: string;
}

export interface VerifyReport {
  cluster: string;
  depth: VerifyDepth;
  /** The worst of the findings; `sound` when there is none but notes. */
  verdict: 'sound' | 'partial' | 'failed' | 'damaged';
  fulls: number;
  deltas: number;
  bytesRead: number;
  /** What can be restored without the damaged objects. */
  restorable: RestorableRange[];
  /** Of `prove`, one for each chain. */
  proofs: ProofRecord[];
  findings: Finding[];
  durationMs: number;
}

export function verdictOf(findings: readonly Finding[]): VerifyReport['verdict'] {
  const worst = (['damaged', 'failed', 'partial'] as const).find((kind) =>
    findings.some((found) => found.kind === kind),
  );
  return worst ?? 'sound';
}
