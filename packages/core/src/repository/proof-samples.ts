import type { ProofRecord } from './proof-record.ts';
import { fullEntry, minute, SAMPLE_CLUSTER, SAMPLE_CLUSTER_ID } from './repository-samples.ts';
import type { WitnessRecord } from './witness-record.ts';

/** Proofs and witnesses for tests. Not exported from the package. */
export function sampleEdge(facts: Partial<ProofRecord> & { revision?: number } = {}): ProofRecord {
  const { revision = 200, ...rest } = facts;
  return {
    version: 1,
    kind: 'proof',
    proof: 'edge',
    verdict: 'ok',
    cluster: SAMPLE_CLUSTER,
    timeline: 1,
    full: fullEntry({ revision }).key,
    from: 101,
    to: revision,
    provedAt: new Date(minute(revision + 1)).toISOString(),
    durationMs: 12,
    deltas: 3,
    rows: 450,
    rowBytes: 135_000,
    ...rest,
  };
}

/** An edge that failed at revision 150. */
export function failedEdge(facts: Partial<ProofRecord> & { revision?: number; found?: string } = {}): ProofRecord {
  const { found = 'aa', ...rest } = facts;
  return sampleEdge({
    verdict: 'failed',
    difference: {
      revision: 150,
      rule: 'row 1 has another value',
      delta: 'prod/delta-b',
      fullDigest: found.repeat(32),
      deltaDigest: 'bb'.repeat(32),
    },
    deltaKeys: ['prod/delta-b', 'prod/delta-c'],
    problem: 'The rows differ',
    ...rest,
  });
}

export function sampleChain(facts: Partial<ProofRecord> & { revision?: number } = {}): ProofRecord {
  const { revision = 200, ...rest } = facts;
  return {
    ...sampleEdge({ revision, from: 1, to: 260 }),
    proof: 'chain',
    provedAt: new Date(minute(400)).toISOString(),
    restoreMs: 1_480,
    bytesFetched: 5_000_000,
    databaseBytes: 4_194_304,
    comparisons: [
      {
        with: 'witness',
        key: 'prod/witness/w.json',
        revision: 250,
        compactRevision: 210,
        expected: 176_618_314,
        found: 176_618_314,
        outcome: 'equal',
      },
      {
        with: 'full',
        key: 'prod/full',
        revision: 260,
        compactRevision: -1,
        expected: 7,
        outcome: 'unusable',
        reason: 'another base',
      },
    ],
    worker: 'restorer-1',
    ...rest,
  };
}

export function sampleWitness(facts: Partial<WitnessRecord> = {}): WitnessRecord {
  return {
    version: 1,
    kind: 'witness',
    cluster: SAMPLE_CLUSTER,
    timeline: 1,
    clusterId: SAMPLE_CLUSTER_ID,
    memberId: '8e9e05c52164694d',
    etcdVersion: '3.5.16',
    revision: 250,
    compactRevision: 210,
    hash: 176_618_314,
    source: 'compaction',
    askedAt: new Date(minute(251)).toISOString(),
    ...facts,
  };
}
