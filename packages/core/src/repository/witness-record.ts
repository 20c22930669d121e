import { z } from 'zod';
import { decodeDocument, encodeDocument, type DocumentKind } from './checked-json.ts';
import { countField, idField, revisionField, textField, timeField, timelineField } from './document-fields.ts';

/**
 * A hash that the living cluster gave for a revision: HashKV over its rows up to `revision`, as a store compacted at
 * `compactRevision` hashes them. One that does not apply to a chain is unusable and says nothing against it.
 */
export const witnessRecordSchema = z
  .object({
    version: z.literal(1),
    kind: z.literal('witness'),
    cluster: z.string().min(1).max(200),
    timeline: timelineField,
    clusterId: idField,
    memberId: idField,
    etcdVersion: textField,
    revision: revisionField,
    /** -1: the member was never compacted. */
    compactRevision: z.union([z.literal(-1), countField]),
    hash: z.int().min(0).max(0xffff_ffff),
    /** `compaction`: etcd computed it while it compacted, so that asking cost nothing; `scan`: it read all rows for it. */
    source: z.enum(['compaction', 'scan']),
    askedAt: timeField,
  })
  .refine((witness) => witness.compactRevision <= witness.revision, 'compactRevision is above revision');
export type WitnessRecord = z.infer<typeof witnessRecordSchema>;

const KIND: DocumentKind<WitnessRecord> = {
  name: 'witness',
  version: 1,
  schema: witnessRecordSchema,
  damage: 'MANIFEST_DAMAGED',
};

/** The same witness gives the same bytes. Throws (a programmer's error) when a field is missing, wrong or unknown. */
export function encodeWitness(witness: WitnessRecord): Buffer {
  return encodeDocument(KIND, witness);
}

/** @throws EtcdOpsError MANIFEST_DAMAGED naming the rule. */
export function decodeWitness(bytes: Uint8Array): WitnessRecord {
  return decodeDocument(KIND, bytes);
}
