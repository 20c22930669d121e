import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { decodeManifest } from './full-manifest.ts';
import { decodeProofRecord } from './proof-record.ts';
import { decodeClusterRecord, decodeTimelineRecord } from './repository-records.ts';
import { decodeHold, decodeMark, decodePin } from './retention-records.ts';
import { decodeWitness } from './witness-record.ts';

const FIXTURES = join(import.meta.dirname, 'fixtures');
const DECODERS: Record<string, (bytes: Uint8Array) => object> = {
  cluster: decodeClusterRecord,
  hold: decodeHold,
  manifest: decodeManifest,
  mark: decodeMark,
  pin: decodePin,
  proof: decodeProofRecord,
  timeline: decodeTimelineRecord,
  witness: decodeWitness,
};
/** What holds anything, so that nothing in it is unknown. */
const FREE = ['spec', 'proof'];

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** As a later etcd-ops may write it: a field more wherever fields are, under a checksum over all of them. */
function ahead(text: string): string {
  const { checksum: _old, ...rest } = withMore(JSON.parse(text) as Json) as Record<string, Json>;
  return stamped(rest);
}

function withMore(value: Json): Json {
  if (Array.isArray(value)) return value.map(withMore);
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).map(([key, inner]) => [key, FREE.includes(key) ? inner : withMore(inner)]);
  return { ...(Object.fromEntries(fields) as Record<string, Json>), addedLater: { a: [1, { b: true }] } };
}

function stamped(document: Record<string, Json>): string {
  const checksum = createHash('sha256').update(canonical(document)).digest('hex');
  return `${JSON.stringify({ ...document, checksum }, undefined, 2)}\n`;
}

/** docs/FORMAT.md: keys in ascending order, no white space. */
function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).toSorted(([left], [right]) => (left < right ? -1 : 1));
  return `{${fields.map(([key, inner]) => `${JSON.stringify(key)}:${canonical(inner)}`).join(',')}}`;
}

const names = readdirSync(FIXTURES).filter((name) => /-v1.*\.json$/.test(name));

test('every kind of document has a file of version 1', () => {
  expect(new Set(names.map((name) => name.split('-')[0]))).toEqual(new Set(Object.keys(DECODERS)));
});

describe.each(names)('%s', (name) => {
  const text = readFileSync(join(FIXTURES, name), 'utf8');
  const decode = DECODERS[name.split('-')[0]!]!;

  test('with fields of a later version is read without them', () => {
    const later = ahead(text);
    expect(later.split('addedLater').length).toBeGreaterThan(1);
    expect(decode(Buffer.from(later))).toEqual(decode(Buffer.from(text)));
  });

  test('of a later version of its own is refused with a sentence that does not speak of damage', () => {
    const { checksum: _old, ...rest } = JSON.parse(text) as Record<string, Json>;
    const later = Buffer.from(stamped({ ...rest, version: 2 }));
    expect(() => decode(later)).toThrow(/has version 2, and this etcd-ops reads version 1$/);
  });
});
