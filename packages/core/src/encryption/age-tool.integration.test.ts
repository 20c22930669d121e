import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findBinary, missingBinary } from '@etcd-ops/local-servers';
import { afterAll, describe, expect, test } from 'vitest';
import { decryptBuffer, encryptBuffer } from './age-buffer.ts';
import { AGE_CHUNK_BYTES } from './age-payload.ts';
import { openAgeSource } from './age-source.ts';
import type { ClearDeltaFacts } from './clear-facts.ts';
import { Identities } from './identities.ts';
import { fingerprintOf, readRecipients } from './recipients.ts';
import { sealDigest } from './sealed-digest.ts';

const age = findBinary('age');
const keygen = findBinary('age-keygen');
const isThere = age !== undefined && keygen !== undefined;
const directory = mkdtempSync(join(tmpdir(), 'etcd-ops-age-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test('the age tool for these tests is there', (context) => {
  if (!isThere) context.skip(missingBinary('age'));
  expect(isThere).toBe(true);
});

function run(program: string, args: string[], input?: Buffer): Buffer {
  const { status, stdout, stderr } = spawnSync(program, args, { input, maxBuffer: 64 * 1024 * 1024 });
  expect(status, stderr.toString()).toBe(0);
  return stdout;
}

function makeKey(name: string): { path: string; recipient: string } {
  const path = join(directory, name);
  run(keygen!, ['-o', path]);
  return { path, recipient: run(keygen!, ['-y', path]).toString().trim() };
}

describe.skipIf(!isThere)('the age tool', () => {
  test.each([0, 1, AGE_CHUNK_BYTES, AGE_CHUNK_BYTES + 1, 5 * AGE_CHUNK_BYTES - 3])(
    'reads what we write, and we what it writes: %d bytes, two recipients',
    async (bytes) => {
      const [one, other] = [makeKey(`one-${bytes}`), makeKey(`other-${bytes}`)];
      const plain = randomBytes(bytes);
      const facts: ClearDeltaFacts = {
        clusterId: 'cdf818194e3a8c32',
        timeline: 1,
        firstRevision: 5,
        lastRevision: 9,
        plainBytes: bytes,
        content: await sealDigest('ab'.repeat(32)),
        lastRevisionDigest: await sealDigest('cd'.repeat(32)),
      };
      const recipientsFile = join(directory, `recipients-${bytes}`);
      writeFileSync(recipientsFile, `# both\n${one.recipient}\n${other.recipient}\n`);
      const recipients = await readRecipients({ recipientsFile });
      for (const stored of [await encryptBuffer(plain, recipients), await encryptBuffer(plain, recipients, facts)]) {
        for (const { path } of [one, other]) {
          expect(run(age!, ['--decrypt', '-i', path], stored).equals(plain)).toBe(true);
        }
      }
      const theirs = run(age!, ['--encrypt', '-R', recipientsFile], plain);
      for (const { path, recipient } of [one, other]) {
        const identities = await Identities.fromFiles([path]);
        expect(identities.fingerprints).toEqual([fingerprintOf(recipient)]);
        // The fingerprint that an error names is found in the key file.
        expect(readFileSync(path, 'utf8')).toContain(`# public key: ${fingerprintOf(recipient)}`);
        expect((await decryptBuffer('x', theirs, identities)).equals(plain)).toBe(true);
        const read = async (offset: number, length: number) => theirs.subarray(offset, offset + length);
        const source = await openAgeSource('x', { bytes: theirs.length, read }, identities);
        expect(source.bytes).toBe(bytes);
        expect((await source.read(bytes >> 1, bytes - (bytes >> 1))).equals(plain.subarray(bytes >> 1))).toBe(true);
      }
    },
  );

  test('refuses what we refuse', async () => {
    const key = makeKey('refuses');
    const stored = await encryptBuffer(randomBytes(100_000), await readRecipients({ recipients: [key.recipient] }));
    const identities = await Identities.fromFiles([key.path]);
    const changes = [stored.subarray(0, stored.length - 1), Buffer.concat([stored, Buffer.from([0])])];
    for (const at of [30, 200, stored.length - 40_000, stored.length - 1]) {
      const changed = Buffer.from(stored);
      changed[at]! ^= 4;
      changes.push(changed);
    }
    for (const changed of changes) {
      const { status } = spawnSync(age!, ['--decrypt', '-i', key.path], {
        input: changed,
        maxBuffer: 64 * 1024 * 1024,
      });
      expect(status).not.toBe(0);
      await expect(decryptBuffer('x', changed, identities)).rejects.toMatchObject({ code: 'OBJECT_DAMAGED' });
    }
  });
});
