import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { generateHybridIdentity, identityToRecipient } from 'age-encryption';
import { afterAll, describe, expect, test } from 'vitest';
import { identitiesOf, SAMPLE_KEYS, sampleIdentities } from './encryption-samples.ts';
import { Identities } from './identities.ts';
import { checkRecipients, FINGERPRINT, readRecipients } from './recipients.ts';
import { digestFits, plainDigest, SEALED_DIGEST, sealDigest } from './sealed-digest.ts';

const directory = mkdtempSync(join(tmpdir(), 'etcd-ops-keys-test-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function fileOf(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

describe('recipients', () => {
  test('come from the configuration and from a file, each once, with fingerprints that a key file holds', async () => {
    const [a, b] = SAMPLE_KEYS.map(({ recipient }) => recipient);
    const recipientsFile = fileOf('recipients', `# of the house\n\n${b}\n  ${a}  \n`);
    const { texts, fingerprints } = await readRecipients({ recipients: [a!], recipientsFile });
    expect(texts).toEqual([a, b]);
    expect(fingerprints).toEqual([a!.slice(0, 20), b!.slice(0, 20)]);
    for (const fingerprint of fingerprints) expect(fingerprint).toMatch(FINGERPRINT);
  });

  test.each([
    ['nothing', [], /no recipient/],
    ['a typing error', [`${SAMPLE_KEYS[0].recipient.slice(0, -1)}q`], /no age recipient/],
    ['half of one', [SAMPLE_KEYS[0].recipient.slice(0, 30)], /no age recipient/],
    ['an SSH key', ['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI'], /SSH key/],
    ['a plugin', ['age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t'], /plugin/],
    ['nonsense', ['nonsense'], /no age recipient/],
  ])('%s is refused', async (_, given, rule) => {
    await expect(checkRecipients(given)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    await expect(checkRecipients(given)).rejects.toThrow(rule);
  });

  test('a secret key among them is refused and not repeated', async () => {
    const failure: unknown = await checkRecipients([SAMPLE_KEYS[0].identity]).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'CONFIG_INVALID' });
    expect(inspect(failure)).not.toContain(SAMPLE_KEYS[0].identity.slice(20, 40));
  });

  test('a file that is not there is no reason to store in clear', async () => {
    await expect(readRecipients({ recipientsFile: join(directory, 'missing') })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
    await expect(readRecipients({ recipientsFile: fileOf('empty', '# nobody\n') })).rejects.toThrow(/no recipient/);
  });

  test('post-quantum ones are not mixed with others', async () => {
    const hybrid = await identityToRecipient(await generateHybridIdentity());
    await expect(checkRecipients([hybrid, SAMPLE_KEYS[0].recipient])).rejects.toThrow(/mixed/);
    expect((await checkRecipients([hybrid])).fingerprints[0]).toMatch(FINGERPRINT);
  });
});

describe('identities', () => {
  test('a key file of age-keygen, several of them', async () => {
    const [a, b] = SAMPLE_KEYS;
    const first = fileOf('a.key', `# created: 2026-11-20T06:00:00Z\n# public key: ${a.recipient}\n${a.identity}\n`);
    const second = fileOf('b.key', `${b.identity}\r\n`);
    const { fingerprints } = await Identities.fromFiles([first, second]);
    expect(fingerprints).toEqual([a.recipient.slice(0, 20), b.recipient.slice(0, 20)]);
  });

  test('what they hold is never shown', async () => {
    const identities = await sampleIdentities(0);
    const shown = `${inspect(identities, { depth: 9, showHidden: true })} ${JSON.stringify(identities)}`;
    expect(shown).not.toContain('AGE-SECRET-KEY');
  });

  test.each([
    ['an SSH key', '-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbn\n', /SSH key/],
    ['an encrypted key file', 'age-encryption.org/v1\n-> scrypt x 18\n', /itself encrypted/],
    ['an armored one', '-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n', /itself encrypted/],
    ['a plugin', 'AGE-PLUGIN-YUBIKEY-1QYQSZQGPQYQSZ', /plugin/],
    ['a typing error', `${SAMPLE_KEYS[0].identity.slice(0, -1)}Q`, /line 1 is no age identity/],
    ['nothing', '# empty\n', /no identity/],
  ])('%s is refused', async (_, text, rule) => {
    const failure: unknown = await identitiesOf(text).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringMatching(rule) });
    expect(inspect(failure)).not.toContain(SAMPLE_KEYS[0].identity.slice(20, 40));
  });
});

describe('sealed digests', () => {
  const digest = 'ab'.repeat(32);

  test('fit their digest and no other; two of one differ', async () => {
    const [one, other] = [await sealDigest(digest), await sealDigest(digest)];
    expect(one).toMatch(SEALED_DIGEST);
    expect(one).not.toBe(other);
    for (const sealed of [one, other]) {
      expect(sealed).not.toContain(digest);
      expect(digestFits(sealed, digest)).toBe(true);
      expect(digestFits(sealed, 'ac'.repeat(32))).toBe(false);
      expect(plainDigest(sealed)).toBeNull();
    }
  });

  test('a plain one is compared as it is', () => {
    expect(digestFits(digest, digest)).toBe(true);
    expect(digestFits(digest, 'ac'.repeat(32))).toBe(false);
    expect(plainDigest(digest)).toBe(digest);
    expect(plainDigest(null)).toBeNull();
  });

  test('one that would cost a reader more than it is worth fits nothing', () => {
    expect(digestFits(`scrypt:31:${'0'.repeat(32)}:${'0'.repeat(64)}`, digest)).toBe(false);
  });
});
