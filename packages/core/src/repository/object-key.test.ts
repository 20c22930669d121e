import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CODECS } from '../codec/codec.ts';
import { isKeyPart } from '../storage/key-rules.ts';
import { decodeClusterName, encodeClusterName } from './cluster-name.ts';
import { clusterRecordKey, deltaKey, fullKey, manifestKey, parseObjectKey, timelineRecordKey } from './object-key.ts';

const cluster = fc.string({ minLength: 1, maxLength: 20, unit: 'binary' }).filter((name) => name.isWellFormed());
const revision = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const timeline = fc.integer({ min: 1, max: 99_999_999 });
const timeMs = fc.integer({ min: 0, max: 9_999_999_999_999 });

test('names are encoded so that keys and streams can carry them, and back', () => {
  expect(encodeClusterName('etcd.bak')).toBe('etcd=2Ebak');
  expect(encodeClusterName('prod-2_A')).toBe('prod-2_A');
  expect(encodeClusterName('a/../b')).toBe('a=2F=2E=2E=2Fb');
  expect(encodeClusterName('生产')).toBe('=E7=94=9F=E4=BA=A7');
  fc.assert(
    fc.property(cluster, (name) => {
      const encoded = encodeClusterName(name);
      expect(isKeyPart(encoded)).toBe(true);
      expect(encoded).toMatch(/^[A-Za-z0-9_=-]+$/);
      expect(decodeClusterName(encoded)).toBe(name);
    }),
  );
});

test('a name has one encoding only', () => {
  for (const text of ['', 'a=2e', '=41', '=', '=2', 'a.b', 'a b', '=FF', '=ED=A0=80', 'x'.repeat(201)]) {
    expect(decodeClusterName(text)).toBeUndefined();
  }
  for (const name of ['', '\ud800', 'x'.repeat(201), '.'.repeat(67)]) {
    expect(() => encodeClusterName(name)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  }
});

test('keys are parsed into what they were built of', () => {
  fc.assert(
    fc.property(
      cluster,
      timeline,
      revision,
      revision,
      timeMs,
      fc.record(
        { codec: fc.constantFrom(...CODECS), encryption: fc.constant('age' as const) },
        { requiredKeys: ['codec'] },
      ),
      (name, line, a, b, ms, { codec, ...encryption }) => {
        const full = { cluster: name, timeline: line, revision: a, createdAtMs: ms, codec, ...encryption };
        expect(parseObjectKey(fullKey(full))).toEqual({ kind: 'full', ...full });
        expect(parseObjectKey(manifestKey(fullKey(full)))).toEqual({
          kind: 'manifest',
          fullKey: fullKey(full),
          ...full,
        });
        const delta = {
          cluster: name,
          timeline: line,
          first: Math.min(a, b),
          last: Math.max(a, b),
          lastObservedMs: ms,
          ...encryption,
        };
        expect(parseObjectKey(deltaKey(delta))).toEqual({ kind: 'delta', ...delta });
        expect(parseObjectKey(timelineRecordKey(name, line))).toEqual({
          kind: 'timeline',
          cluster: name,
          timeline: line,
        });
        expect(parseObjectKey(clusterRecordKey(name))).toEqual({ kind: 'cluster', cluster: name });
      },
    ),
  );
});

test('keys sort as revisions do', () => {
  const keyOf = (value: number): string =>
    deltaKey({ cluster: 'c', timeline: 1, first: value, last: value, lastObservedMs: 0 });
  fc.assert(
    fc.property(revision, revision, (a, b) => {
      expect(keyOf(a) < keyOf(b)).toBe(a < b);
    }),
  );
});

test('foreign and impossible names are nothing of ours', () => {
  const foreign = [
    '',
    'prod/README.txt',
    'prod/t00000001/full/notes.json',
    'prod/t00000000/timeline.json',
    'prod/t1/timeline.json',
    'prod/t00000001/timeline.json.json',
    'prod/x/cluster.json',
    'pr.od/cluster.json',
    'prod/t00000001/delta/00000000000000000009-00000000000000000008-0000000000000.delta',
    'prod/t00000001/delta/00000000000000000000-00000000000000000008-0000000000000.delta',
    'prod/t00000001/delta/99999999999999999999-99999999999999999999-0000000000000.delta',
    'prod/t00000001/delta/00000000000000000001-00000000000000000008-0000000000000.delta.gz',
    'prod/t00000001/delta/1-8-0.delta',
    'prod/t00000001/full/00000000000000000000-0000000000000.db',
    'prod/t00000001/full/09007199254740993000-0000000000000.db',
    'prod/t00000001/full/00000000000000000001-0000000000000.db.age.gz',
    'prod/t00000001/full/00000000000000000001-0000000000000.db.age.age',
    'prod/t00000001/delta/00000000000000000001-00000000000000000008-0000000000000.delta.age.age',
    'prod/t00000001/full/00000000000000000001-0000000000000.db.json.json',
    'prod/t00000001/full/sub/00000000000000000001-0000000000000.db',
    'a/prod/t00000001/full/00000000000000000001-0000000000000.db',
    'prod/Backup-20240202/Full-00000000-00000012-1706877127.gz',
  ];
  for (const key of foreign) expect(parseObjectKey(key), key).toBeUndefined();
  fc.assert(
    fc.property(fc.string({ maxLength: 120 }), (key) => {
      expect(() => parseObjectKey(key)).not.toThrow();
    }),
  );
});
