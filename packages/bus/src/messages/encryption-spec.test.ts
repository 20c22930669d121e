import { expect, test } from 'vitest';
import { clusterSpecSchema } from './cluster-spec.ts';

const SPEC = { version: 1, name: 'c', endpoints: ['a:1'], store: { provider: 'Local', bucket: '/b' } } as const;
const RECIPIENT = 'age1dkz87g2keu3rt4lnx2aga9yjsh7dj7vzqyzczvu074a790d49d5se3pvla';

test.each([
  [{ recipients: [RECIPIENT] }, true],
  [{ recipientsFile: '/etc/etcd-ops/recipients' }, true],
  [{ recipients: [RECIPIENT], recipientsFile: '/r' }, true],
  // Somebody who asks for encryption without saying to whom must not get backups in clear.
  [{}, false],
  [{ recipients: [] }, false],
  [{ recipients: ['AGE-SECRET-KEY-1SW7C7HYVELFGJEAFVT4MY24KY9A3XW8H335CACSF4W5WK3K6502QZ0KWRN'] }, false],
  [{ recipients: ['ssh-ed25519 AAAA'] }, false],
  [{ identityFile: '/k', recipients: [RECIPIENT] }, false],
])('encryption %o is possible: %s', (encryption, possible) => {
  expect(clusterSpecSchema.safeParse({ ...SPEC, encryption }).success).toBe(possible);
});

test.each([
  ['gzip', 9, true],
  ['gzip', 10, false],
  ['zlib', 0, false],
  ['zstd', 19, true],
  ['zstd', 20, false],
  ['none', 2, false],
])('%s at level %d is possible: %s', (codec, compressionLevel, possible) => {
  expect(clusterSpecSchema.safeParse({ ...SPEC, snapshots: { codec, compressionLevel } }).success).toBe(possible);
});
