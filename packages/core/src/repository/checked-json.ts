import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { ErrorCode } from '../base/error-codes.ts';
import { EtcdOpsError } from '../base/errors.ts';

/** Longest document of a repository (manifest, timeline.json, cluster.json). */
export const DOCUMENT_BYTES_MAX = 1024 * 1024;
/** Deeper nesting than this is no document of ours; it would only serve to exhaust the stack. */
const DEPTH_MAX = 32;

/** A kind of small JSON document that carries its own checksum. */
export interface DocumentKind<T> {
  /** For messages: `manifest`. */
  name: string;
  version: number;
  schema: z.ZodType<T>;
  damage: ErrorCode;
}

/**
 * JSON with two spaces, a `checksum` as the last field and a line end. The checksum is the SHA-256 (hex) of the canonical
 * JSON of all other fields: keys in ascending order, no white space. So it also covers fields that a reader does not know.
 */
export function encodeDocument<T extends object>(kind: DocumentKind<T>, value: T): Buffer {
  const strict = kind.schema.parse(value) as Record<string, unknown>;
  assert(!('checksum' in strict), 'the checksum is made here');
  const unknown = Object.keys(value).filter((name) => !(name in strict));
  assert(unknown.length === 0, `a ${kind.name} has no field ${unknown.join(', ')}`);
  const checksum = sha256(canonicalJson(strict, kind, 0));
  return Buffer.from(`${JSON.stringify({ ...strict, checksum }, undefined, 2)}\n`, 'utf8');
}

/**
 * Decodes a document: fields that this version does not know are accepted and dropped, everything else must be as written.
 * @throws EtcdOpsError with the kind's code, naming the rule.
 */
export function decodeDocument<T>(kind: DocumentKind<T>, bytes: Uint8Array): T {
  if (bytes.length > DOCUMENT_BYTES_MAX) throw damaged(kind, `${bytes.length} bytes are more than it may have`);
  const parsed = parseJson(kind, bytes);
  const { checksum, ...rest } = parsed;
  if (typeof checksum !== 'string') throw damaged(kind, 'it has no checksum');
  // The version comes first: a later one may count its checksum otherwise.
  if (rest['version'] !== kind.version) throw unknownVersion(kind, rest['version']);
  if (sha256(canonicalJson(rest, kind, 0)) !== checksum) {
    throw damaged(kind, 'its fields do not have the checksum they were written with');
  }
  const result = kind.schema.safeParse(rest);
  if (!result.success) throw damaged(kind, z.prettifyError(result.error).replaceAll('\n', ' '));
  return result.data;
}

function parseJson<T>(kind: DocumentKind<T>, bytes: Uint8Array): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) {
      return parsed as Record<string, unknown>;
    }
  } catch (error) {
    throw damaged(kind, 'it is not JSON', error);
  }
  throw damaged(kind, 'it is not a JSON object');
}

function canonicalJson<T>(value: unknown, kind: DocumentKind<T>, depth: number): string {
  if (depth > DEPTH_MAX) throw damaged(kind, 'it is nested too deeply');
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item, kind, depth + 1)).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const fields = Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, field]) => `${JSON.stringify(name)}:${canonicalJson(field, kind, depth + 1)}`);
  return `{${fields.join(',')}}`;
}

function sha256(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex');
}

function unknownVersion<T>(kind: DocumentKind<T>, version: unknown): EtcdOpsError {
  if (typeof version !== 'number') return damaged(kind, 'it has no version');
  return new EtcdOpsError(kind.damage, {
    message: `The ${kind.name} has version ${version}, and this etcd-ops reads version ${kind.version}`,
    remedy: 'If it is sound, a newer etcd-ops wrote it: use that one or a later one.',
  });
}

function damaged<T>(kind: DocumentKind<T>, rule: string, cause?: unknown): EtcdOpsError {
  return new EtcdOpsError(kind.damage, { message: `The ${kind.name} is damaged: ${rule}`, cause });
}
