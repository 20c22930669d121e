import { z } from 'zod';
import { decodeDocument, encodeDocument, type DocumentKind } from './checked-json.ts';
import { countField, revisionField, timeField, timelineField } from './document-fields.ts';

const clusterField = z.string().min(1).max(200);
const idField = z.string().regex(/^\d{13}-[0-9a-f]{8}$/);
const keyField = z.string().min(1).max(1_000);
/** Longest life of a hold that nobody renews. */
const HOLD_TTL_MS_MAX = 86_400_000;
/** Keys of one mark record: so many stay below the length that a document may have. */
export const MARK_KEYS_MAX = 4_000;

/** `pin`: a restore point that retention keeps, whatever the policy says. */
export const pinRecordSchema = z.object({
  version: z.literal(1),
  kind: z.literal('pin'),
  id: idField,
  cluster: clusterField,
  timeline: timelineField,
  revision: revisionField,
  /** The full that the revision was made from when it was pinned. */
  full: keyField,
  /** The moment that was asked for, when it was one. */
  time: timeField.exactOptional(),
  reason: z.string().min(1).max(500),
  createdAt: timeField,
  /** The pin ends by itself here; absent: it stays until somebody takes it away. */
  until: timeField.exactOptional(),
});
export type PinRecord = z.infer<typeof pinRecordSchema>;

/** `hold`: somebody reads; what it names is not removed as long as the hold is renewed. */
export const holdRecordSchema = z.object({
  version: z.literal(1),
  kind: z.literal('hold'),
  cluster: clusterField,
  /** For people: `restore`, `copy`. */
  purpose: z.string().min(1).max(100),
  /** Who reads: host and process. */
  holder: z.string().min(1).max(200),
  createdAt: timeField,
  /** It ends so long after the store last wrote it. */
  ttlMs: z.int().min(1_000).max(HOLD_TTL_MS_MAX),
  /** The full and the deltas up to `to` that are read; absent: the whole repository. */
  chain: z.object({ timeline: timelineField, full: keyField, to: revisionField }).exactOptional(),
});
export type HoldRecord = z.infer<typeof holdRecordSchema>;

/** `mark`: objects that a later run of the garbage collector will remove. */
export const markRecordSchema = z.object({
  version: z.literal(1),
  kind: z.literal('mark'),
  cluster: clusterField,
  markedAt: timeField,
  /** Without the folder of the cluster before them. */
  keys: z.array(keyField).min(1).max(MARK_KEYS_MAX),
  /** Of those, the ones that the store would not delete, and when it was tried last. */
  refused: z
    .array(z.object({ key: keyField, at: timeField, times: countField }))
    .max(MARK_KEYS_MAX)
    .exactOptional(),
});
export type MarkRecord = z.infer<typeof markRecordSchema>;

function kindOf<T>(name: string, schema: z.ZodType<T>): DocumentKind<T> {
  return { name, version: 1, schema, damage: 'MANIFEST_DAMAGED' };
}
const PIN = kindOf('pin', pinRecordSchema);
const HOLD = kindOf('hold', holdRecordSchema);
const MARK = kindOf('mark', markRecordSchema);

export function encodePin(record: PinRecord): Buffer {
  return encodeDocument(PIN, record);
}

/** @throws EtcdOpsError MANIFEST_DAMAGED naming the rule; so do the others. */
export function decodePin(bytes: Uint8Array): PinRecord {
  return decodeDocument(PIN, bytes);
}

export function encodeHold(record: HoldRecord): Buffer {
  return encodeDocument(HOLD, record);
}

export function decodeHold(bytes: Uint8Array): HoldRecord {
  return decodeDocument(HOLD, bytes);
}

export function encodeMark(record: MarkRecord): Buffer {
  return encodeDocument(MARK, record);
}

export function decodeMark(bytes: Uint8Array): MarkRecord {
  return decodeDocument(MARK, bytes);
}
