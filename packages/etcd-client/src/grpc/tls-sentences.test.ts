import { expect, test } from 'vitest';
import { isTlsText, tlsFailure } from './tls-sentences.ts';

const TLS = { caFile: 'ca.pem', certFile: 'client.pem', keyFile: 'client.key' };
const failure = (code: string, message: string) => Object.assign(new Error(message), { code });

test.each([
  ['SELF_SIGNED_CERT_IN_CHAIN', 'self-signed certificate in certificate chain', 'not signed by a CA in ca.pem'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'unable to verify the first certificate', 'not signed by a CA in ca.pem'],
  ['CERT_HAS_EXPIRED', 'certificate has expired', 'the server certificate has expired'],
  ['CERT_NOT_YET_VALID', 'certificate is not yet valid', 'check the clocks'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', "Hostname/IP does not match certificate's altnames: x", 'for another name'],
  [
    'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
    'x:error:0A:y:tlsv13 alert certificate required',
    'asks for a client certificate',
  ],
  [
    'ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE',
    'x:error:0A:y:ssl/tls alert bad certificate',
    'refuses the client certificate client.pem',
  ],
  [
    'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA',
    'x:error:0A:y:tlsv1 alert unknown ca',
    'does not know the CA that signed the client certificate client.pem',
  ],
  [
    'ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_EXPIRED',
    'x:error:0A:y:ssl/tls alert certificate expired',
    'client.pem has expired',
  ],
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'x:error:0A:y:wrong version number', 'does not speak TLS'],
  ['ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', 'x:error:0A:y:tlsv1 alert protocol version', 'no TLS version in common'],
  ['ERR_SSL_OTHER', 'x:error:0A:y:something new', 'the TLS handshake failed'],
])('%s', (code, message, sentence) => {
  const error = failure(code, message);
  expect(isTlsText(error)).toBe(true);
  const said = tlsFailure('https://a:1', error, TLS);
  expect(said).toMatchObject({ code: 'ETCD_TLS', message: expect.stringContaining(sentence) });
  expect(said.message).toContain('https://a:1');
  expect(said.message).not.toContain(':error:');
});

test('without files the remedy is another one', () => {
  expect(tlsFailure('a', failure('SELF_SIGNED_CERT_IN_CHAIN', 'x')).message).toContain('give the CA file');
  expect(tlsFailure('a', failure('ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE', 'alert bad certificate')).message).toContain(
    'asks for a client certificate, and none is given',
  );
});

test('a network that fails is not TLS', () => {
  for (const code of ['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'ENOTFOUND']) {
    expect(isTlsText(failure(code, `connect ${code}`))).toBe(false);
  }
});
