import { z } from 'zod';
import { decodeDocument, encodeDocument, type DocumentKind } from './checked-json.ts';
import { countField, revisionField, sha256Field, textField, timeField, timelineField } from './document-fields.ts';

/** `edge`: the rows of a full against those of the deltas before it. `chain`: rebuilt, and hashed as etcd hashes. */
export const PROOF_KINDS = ['edge', 'chain'] as const;
export type ProofKind = (typeof PROOF_KINDS)[number];

/** `open`: nothing spoke against it, but what was at hand proves nothing either; `problem` says what was missing. */
export const PROOF_VERDICTS = ['ok', 'failed', 'open'] as const;
export type ProofVerdict = (typeof PROOF_VERDICTS)[number];

const hashField = z.int().min(0).max(0xffff_ffff);
const compactField = z.union([z.literal(-1), countField]);
const reasonField = z.string().min(1).max(2_000);
const keyField = z.string().min(1).max(1_000);

/** Two hashes that must be equal when the revisions are, or why they cannot be compared. */
const comparisonField = z.object({
  with: z.enum(['full', 'witness', 'cluster']),
  /** Of the object that holds the other side; the cluster itself has none. */
  key: keyField.exactOptional(),
  revision: revisionField,
  compactRevision: compactField,
  /** HashKV of the other side. */
  expected: hashField,
  /** HashKV of the rebuilt chain; absent when it was not computed. */
  found: hashField.exactOptional(),
  outcome: z.enum(['equal', 'different', 'unusable']),
  reason: reasonField.exactOptional(),
});
export type ProofComparison = z.infer<typeof comparisonField>;

/** The first thing in which a full and the deltas before it differ. */
const differenceField = z.object({
  revision: revisionField,
  rule: reasonField,
  /** The delta that holds the revision. */
  delta: keyField.exactOptional(),
  /** RevisionDigest of the revision's rows in the full and in the delta; null where there are none. */
  fullDigest: sha256Field.nullable(),
  deltaDigest: sha256Field.nullable(),
});
export type ProofDifference = z.infer<typeof differenceField>;

/** The outcome of one proof. Written once, beside the fulls: their manifests never change. */
export const proofRecordSchema = z.object({
  version: z.literal(1),
  kind: z.literal('proof'),
  proof: z.enum(PROOF_KINDS),
  verdict: z.enum(PROOF_VERDICTS),
  cluster: z.string().min(1).max(200),
  timeline: timelineField,
  /** The full whose edge was compared, or that the chain begins with. */
  full: keyField,
  /** The revisions that were compared, both inclusive; for a chain, those that it restores. `to` below `from`: none. */
  from: countField,
  to: countField,
  provedAt: timeField,
  durationMs: countField,
  deltas: countField,
  rows: countField,
  rowBytes: countField,
  /** Of a chain: what a restore took until its database was durable, and what it fetched and wrote. */
  restoreMs: countField.exactOptional(),
  bytesFetched: countField.exactOptional(),
  databaseBytes: countField.exactOptional(),
  /** Of a chain. */
  comparisons: z.array(comparisonField).max(1_000).exactOptional(),
  /** Of a chain that is `ok`: the highest revision at which the cluster vouched for it. Absent in older records. */
  provenTo: revisionField.exactOptional(),
  /** Of an edge that failed. */
  difference: differenceField.exactOptional(),
  /** Of an edge: the deltas that were compared, when it failed. */
  deltaKeys: z.array(keyField).max(10_000).exactOptional(),
  /** Leases whose TTL the deltas recorded otherwise than the full holds it: worth a look, but no row is wrong. */
  leasesDiffering: countField.exactOptional(),
  /** Why it failed or is open. */
  problem: reasonField.exactOptional(),
  /** Who proved it. */
  worker: textField.exactOptional(),
});
export type ProofRecord = z.infer<typeof proofRecordSchema>;

const KIND: DocumentKind<ProofRecord> = {
  name: 'proof record',
  version: 1,
  schema: proofRecordSchema,
  damage: 'MANIFEST_DAMAGED',
};

/** The same record gives the same bytes. Throws (a programmer's error) when a field is missing, wrong or unknown. */
export function encodeProofRecord(record: ProofRecord): Buffer {
  return encodeDocument(KIND, record);
}

/** @throws EtcdOpsError MANIFEST_DAMAGED naming the rule. */
export function decodeProofRecord(bytes: Uint8Array): ProofRecord {
  return decodeDocument(KIND, bytes);
}
