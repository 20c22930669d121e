import { z } from 'zod';
import { decodeDocument, encodeDocument, type DocumentKind } from '../repository/checked-json.ts';
import { countField, idField, revisionField, timelineField } from '../repository/document-fields.ts';
import { FINGERPRINT, RECIPIENTS_MAX } from './recipients.ts';
import { SEALED_DIGEST } from './sealed-digest.ts';

const sealedField = z.string().regex(SEALED_DIGEST);

/** What an encrypted delta says of itself without a key: no more than backing up needs to go on behind it. */
const deltaFactsSchema = z.object({
  clusterId: idField,
  timeline: timelineField,
  firstRevision: revisionField,
  lastRevision: revisionField,
  /** Of the delta inside. */
  plainBytes: countField,
  /** Sealed `deltaContentSha256`: whether another writer's delta is the same. */
  content: sealedField,
  /** Sealed RevisionDigest of the rows of `lastRevision`: whether the cluster goes on from there. */
  lastRevisionDigest: sealedField,
});

/**
 * What an encrypted object says in clear. It lies in the age header as a stanza of our own, which every age implementation passes
 * over; the header's MAC binds it to the object for whoever has a key, and its own checksum tells damage for everybody.
 */
export const clearFactsSchema = z.object({
  version: z.literal(1),
  /** Fingerprints of the recipients that it was encrypted to. */
  recipients: z.array(z.string().regex(FINGERPRINT)).min(1).max(RECIPIENTS_MAX),
  delta: deltaFactsSchema.exactOptional(),
});

export type ClearFacts = z.infer<typeof clearFactsSchema>;
export type ClearDeltaFacts = NonNullable<ClearFacts['delta']>;

const KIND: DocumentKind<ClearFacts> = {
  name: 'clear part of an encrypted object',
  version: 1,
  schema: clearFactsSchema,
  damage: 'OBJECT_DAMAGED',
};

export function encodeClearFacts(facts: ClearFacts): Buffer {
  return encodeDocument(KIND, facts);
}

/** @throws EtcdOpsError OBJECT_DAMAGED naming the rule. */
export function decodeClearFacts(bytes: Uint8Array): ClearFacts {
  return decodeDocument(KIND, bytes);
}
