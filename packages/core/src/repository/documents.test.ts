import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isEtcdOpsError } from '../base/errors.ts';
import { decodeManifest, encodeManifest, type FullManifest } from './full-manifest.ts';
import {
  decodeClusterRecord,
  decodeTimelineRecord,
  encodeClusterRecord,
  encodeTimelineRecord,
  type TimelineRecord,
} from './repository-records.ts';
import { minute, sampleManifest } from './repository-samples.ts';

const SEED = Number(process.env['ETCD_OPS_TEST_SEED'] ?? Date.now() % 1_000_000);
console.log(`seed ${SEED}`);
const MANIFEST: FullManifest = {
  ...sampleManifest({ revision: 1234, compact: 7 }),
  authRevision: 3,
  proof: { kind: 'edge', rows: 17 },
};
const TIMELINE: TimelineRecord = {
  version: 1,
  kind: 'timeline',
  timeline: 2,
  clusterId: 'cdf818194e3a8c32',
  startedAtRevision: 500,
  cause: 'fork',
  previousTimeline: 1,
  previousRevision: 900,
  startedAt: new Date(minute(3)).toISOString(),
};

function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** What a writer of a later version may do: other fields, and the checksum over all of them. */
function signed(fields: Record<string, unknown>): Buffer {
  const canonical = (value: unknown): string =>
    Array.isArray(value)
      ? `[${value.map(canonical).join(',')}]`
      : typeof value === 'object' && value !== null
        ? `{${Object.entries(value)
            .sort(([a], [b]) => (a < b ? -1 : 1))
            .map(([name, field]) => `${JSON.stringify(name)}:${canonical(field)}`)
            .join(',')}}`
        : JSON.stringify(value);
  return Buffer.from(
    JSON.stringify({ checksum: createHash('sha256').update(canonical(fields)).digest('hex'), ...fields }),
  );
}

test('documents come back as they were', () => {
  expect(decodeManifest(encodeManifest(MANIFEST))).toEqual(MANIFEST);
  expect(decodeTimelineRecord(encodeTimelineRecord(TIMELINE))).toEqual(TIMELINE);
  const record = {
    version: 1,
    kind: 'cluster',
    cluster: 'prod',
    clusterId: '1',
    createdAt: MANIFEST.createdAt,
  } as const;
  expect(decodeClusterRecord(encodeClusterRecord(record))).toEqual(record);
});

test('writing is strict: wrong, missing and unknown fields do not get out', () => {
  const wrong: Record<string, unknown>[] = [
    { ...MANIFEST, revision: 0 },
    { ...MANIFEST, revision: 2 ** 53 },
    { ...MANIFEST, compactRevision: 2000 },
    { ...MANIFEST, compactRevision: -2 },
    { ...MANIFEST, lastRevisionDigest: null },
    { ...MANIFEST, clusterId: '0xcd' },
    { ...MANIFEST, clusterId: 'CD' },
    { ...MANIFEST, storedSha256: 'abc' },
    { ...MANIFEST, codec: 'lzw' },
    { ...MANIFEST, createdAt: '2026-11-20 06:00' },
    { ...MANIFEST, surprise: 1 },
    Object.fromEntries(Object.entries(MANIFEST).filter(([name]) => name !== 'memberId')),
  ];
  const reason = /Invalid|expected|number|digest|compactRevision|field|string|option/i;
  for (const manifest of wrong) expect(() => encodeManifest(manifest as FullManifest)).toThrow(reason);
});

test('reading is tolerant of fields it does not know, of white space and of the order of fields', () => {
  expect(decodeManifest(signed({ ...MANIFEST, later: { deep: [1, 'x', null] }, 'ein Feld': true }))).toEqual(MANIFEST);
  const fields = JSON.parse(encodeManifest(MANIFEST).toString()) as Record<string, unknown>;
  const shuffled = Object.fromEntries(Object.entries(fields).toReversed());
  expect(decodeManifest(Buffer.from(JSON.stringify(shuffled, undefined, '\t')))).toEqual(MANIFEST);
});

test('a later version and nonsense are refused in words', () => {
  const refused = (bytes: Buffer, rule: RegExp): void => {
    expect(() => decodeManifest(bytes)).toThrow(
      expect.objectContaining({ code: 'MANIFEST_DAMAGED', message: expect.stringMatching(rule) }),
    );
  };
  refused(signed({ ...MANIFEST, version: 2 }), /version 2, and this etcd-ops reads version 1/);
  refused(signed({ ...MANIFEST, revision: -1 }), /revision/);
  refused(signed({ ...MANIFEST, timeline: '1' }), /timeline/);
  refused(Buffer.from('[]'), /not a JSON object/);
  refused(Buffer.from('null'), /not a JSON object/);
  refused(Buffer.from(''), /not JSON/);
  refused(Buffer.from([0xff, 0xfe]), /not JSON/);
  refused(Buffer.from(`{"version":1,"x":${'['.repeat(100_000)}${']'.repeat(100_000)},"checksum":"0"}`), /nested|JSON/);
  refused(Buffer.alloc(1024 * 1024 + 1, ' '), /more than it may have/);
  refused(Buffer.from('{"__proto__":{"version":1},"checksum":"0"}'), /version/);
});

test('of 2,500 damaged manifests none is taken for another one', () => {
  const bytes = encodeManifest(MANIFEST);
  const random = randomFrom(SEED);
  const mutations: ((copy: Buffer) => Buffer)[] = [
    (copy) => {
      copy[random(copy.length)]! ^= 1 << random(8);
      return copy;
    },
    (copy) => copy.subarray(0, random(copy.length)),
    (copy) => Buffer.concat([copy, Buffer.alloc(1 + random(20), random(256))]),
    (copy) => {
      const [from, to] = [random(copy.length), random(copy.length)].sort((a, b) => a - b) as [number, number];
      return Buffer.concat([copy.subarray(0, from), copy.subarray(to)]);
    },
    (copy) => Buffer.from(copy.toString().replace(/\d+/, () => '9'.repeat(1 + random(400)))),
    (copy) => {
      const lines = copy.toString().split('\n');
      const [left, right] = [1 + random(lines.length - 4), 1 + random(lines.length - 4)];
      [lines[left], lines[right]] = [lines[right]!, lines[left]!];
      return Buffer.from(lines.join('\n'));
    },
    (copy) => {
      copy.write(String(random(10)), random(copy.length), 'latin1');
      return copy;
    },
  ];
  let refusals = 0;
  for (let round = 0; round < 2500; round++) {
    const damaged = mutations[round % mutations.length]!(Buffer.from(bytes));
    try {
      // White space and the order of fields may change: then the content must be the same.
      expect(decodeManifest(damaged)).toEqual(MANIFEST);
    } catch (error) {
      if (!isEtcdOpsError(error, 'MANIFEST_DAMAGED')) throw error;
      refusals++;
    }
  }
  expect(refusals).toBeGreaterThan(1800);
});

test('any JSON at all is either refused or was signed', () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      expect(() => decodeManifest(Buffer.from(text))).toThrow(expect.objectContaining({ code: 'MANIFEST_DAMAGED' }));
    }),
  );
});
