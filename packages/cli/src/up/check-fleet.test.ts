import { writeFileSync } from 'node:fs';
import { createAuthority, missingOpenssl, tempDir } from '@etcd-ops/test-kit';
import { expect, test } from 'vitest';
import { fleetWarnings } from './check-fleet.ts';
import { parseFleet } from './fleet-file.ts';

const warningsOf = async (directory: string, text: string): Promise<string[]> =>
  await fleetWarnings(parseFleet(text, { name: 'fleet.yaml', directory }));

test('files that cannot be read, or are not what they should be, and an etcd with two names', async () => {
  await using dir = tempDir();
  writeFileSync(dir.file('no.pem'), 'root:x:0:0\n');
  writeFileSync(dir.file('empty'), '\n');
  const text = `
defaults: { store: { provider: Local, bucket: backups }, tls: { caFile: no.pem } }
nats: { url: nats://a, nkeyFile: away.nk }
clusters:
  - { name: one, endpoints: [https://10.0.0.1:2379], auth: { username: root, passwordFile: away } }
  - { name: two, endpoints: [http://10.0.0.2:2379], auth: { username: root, passwordFile: empty } }
  - { name: three, endpoints: ['10.0.0.1:2379', '10.0.0.3:2379'], tls: { caFile: . } }
`;
  expect(await warningsOf(dir.path, text)).toEqual([
    `nats.nkeyFile: ${dir.file('away.nk')} cannot be read from here (ENOENT)`,
    // What several clusters take from the defaults is told once.
    `one: tls.caFile: ${dir.file('no.pem')} holds no certificate (PEM)`,
    `one: auth.passwordFile: ${dir.file('away')} cannot be read from here (ENOENT)`,
    `two: auth.passwordFile: ${dir.file('empty')} is empty`,
    'three: 10.0.0.1:2379 belongs to the cluster one already',
    `three: tls.caFile: ${dir.path} is a directory`,
  ]);
});

test('certificates and keys', async (ctx) => {
  const missing = missingOpenssl();
  if (missing !== undefined) return ctx.skip(missing);
  await using dir = tempDir();
  const authority = createAuthority(dir.path, 'house');
  const [good, other, over] = [
    authority.issue('good'),
    authority.issue('other'),
    authority.issue('over', { expired: true }),
  ];
  const tls = (files: object) => `
clusters: [{ name: one, endpoints: [a:1], store: { provider: Local, bucket: b }, tls: ${JSON.stringify(files)} }]
`;
  expect(await warningsOf(dir.path, tls(good))).toEqual([]);
  expect(await warningsOf(dir.path, tls({ ...good, keyFile: other.keyFile }))).toEqual([
    `one: tls.keyFile: ${other.keyFile} is not the key of the certificate ${good.certFile}`,
  ]);
  expect(await warningsOf(dir.path, tls(over))).toEqual([
    expect.stringMatching(/^one: tls\.certFile: .* holds a certificate that ended on /),
  ]);
  expect(await warningsOf(dir.path, tls({ certFile: good.certFile, keyFile: good.certFile }))).toEqual([
    `one: tls.keyFile: ${good.certFile} holds no private key that can be read without a password (PEM)`,
  ]);
  expect(await warningsOf(dir.path, tls({ certFile: good.certFile }))).toEqual([
    expect.stringMatching(/a certificate and its key are needed together/),
  ]);
});
