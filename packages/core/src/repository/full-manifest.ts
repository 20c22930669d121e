import { z } from 'zod';
import { CODECS } from '../codec/codec.ts';
import { FINGERPRINT, RECIPIENTS_MAX } from '../encryption/recipients.ts';
import { SEALED_DIGEST } from '../encryption/sealed-digest.ts';
import { decodeDocument, encodeDocument, type DocumentKind } from './checked-json.ts';
import {
  countField,
  idField,
  revisionField,
  sha256Field,
  textField,
  timeField,
  timelineField,
} from './document-fields.ts';

/** What is known of a full snapshot. It lies beside the full, is written last and never again. */
export const fullManifestSchema = z
  .object({
    version: z.literal(1),
    kind: z.literal('full'),
    cluster: z.string().min(1).max(200),
    timeline: timelineField,
    /** S: the last revision of the file. */
    revision: revisionField,
    /** C: below it, states cannot be had from this file; -1 when it was never compacted. */
    compactRevision: z.union([z.literal(-1), countField]),
    /** RevisionDigest of the rows of S, sealed when the full is encrypted; null when the file has none of them (S <= C). */
    lastRevisionDigest: z.union([sha256Field, z.string().regex(SEALED_DIGEST)]).nullable(),
    lastRevisionRows: countField,
    clusterId: idField,
    memberId: idField,
    etcdVersion: textField,
    /** When the snapshot began, taken after etcd's first answer: every row of the file is at least as old. */
    createdAt: timeField,
    finishedAt: timeField,
    /**
     * When the cluster was last seen, by the newest of what this full was made of: `createdAt` is then the time of the making. Absent: at
     * `createdAt`; unknown of a full that is stale, and of what `compact` made before this was recorded.
     */
    seenAt: timeField.exactOptional(),
    codec: z.enum(CODECS),
    /** Absent: stored in clear. Whom it is encrypted to is told by fingerprints. */
    encryption: z
      .object({
        format: z.literal('age'),
        recipients: z.array(z.string().regex(FINGERPRINT)).min(1).max(RECIPIENTS_MAX),
      })
      .exactOptional(),
    /** Size and SHA-256 of the file with etcd's own trailing hash. */
    plainBytes: countField,
    plainSha256: sha256Field,
    /** Size and SHA-256 of the object as it lies in the store. */
    storedBytes: countField,
    storedSha256: sha256Field,
    authRevision: countField.exactOptional(),
    /** Taken without a quorum, of a member that could not prove that it was up to date: the cluster may have gone further. */
    stale: z.literal(true).exactOptional(),
    /** Why it was taken: `schedule`, `start`, `gap`, `fork`, ... */
    cause: textField,
    /** The task that asked for it, and the moment of the schedule behind that: a task that is repeated finds its full. */
    taskId: textField.exactOptional(),
    tick: timeField.exactOptional(),
    /** What was proved of it before it was stored. */
    proof: z.looseObject({ kind: textField }).exactOptional(),
  })
  .refine((manifest) => manifest.compactRevision <= manifest.revision, 'compactRevision is above revision')
  .refine(
    (manifest) => (manifest.lastRevisionDigest === null) === (manifest.lastRevisionRows === 0),
    'digest and rows do not fit',
  );

export type FullManifest = z.infer<typeof fullManifestSchema>;

const KIND: DocumentKind<FullManifest> = {
  name: 'manifest',
  version: 1,
  schema: fullManifestSchema,
  damage: 'MANIFEST_DAMAGED',
};

/** The same manifest gives the same bytes. Throws (a programmer's error) when a field is missing, wrong or unknown. */
export function encodeManifest(manifest: FullManifest): Buffer {
  return encodeDocument(KIND, manifest);
}

/** @throws EtcdOpsError MANIFEST_DAMAGED naming the rule. Fields that a later etcd-ops may have added are dropped. */
export function decodeManifest(bytes: Uint8Array): FullManifest {
  return decodeDocument(KIND, bytes);
}
