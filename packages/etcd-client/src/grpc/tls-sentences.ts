import { EtcdOpsError } from '@etcd-ops/core';
import type { EtcdTlsAccess } from '../access.ts';

/** What a handshake's failure means, by OpenSSL's and Node's codes and texts. The server's refusals come as alerts. */
type Say = (tls: EtcdTlsAccess) => string;

const ownCertificate = ({ certFile }: EtcdTlsAccess): string =>
  certFile === undefined ? 'no client certificate is given' : `the client certificate ${certFile}`;

const SENTENCES: readonly (readonly [RegExp, Say])[] = [
  [
    /alert (certificate required|number 116)|ALERT_CERTIFICATE_REQUIRED/i,
    () => 'the server asks for a client certificate, and none that it accepts was sent',
  ],
  [
    /alert bad certificate|ALERT_BAD_CERTIFICATE/i,
    (tls) =>
      tls.certFile === undefined
        ? 'the server asks for a client certificate, and none is given'
        : `the server refuses ${ownCertificate(tls)}: it is not signed by a CA that the server trusts, has expired, or is not for clients`,
  ],
  [/alert unknown ca|ALERT_UNKNOWN_CA/i, (tls) => `the server does not know the CA that signed ${ownCertificate(tls)}`],
  [
    /alert certificate expired|ALERT_CERTIFICATE_EXPIRED/i,
    (tls) => `the server says that ${ownCertificate(tls)} has expired`,
  ],
  [
    /alert (certificate|unsupported certificate|access denied)|ALERT_(CERTIFICATE|UNSUPPORTED|ACCESS)/i,
    (tls) => `the server refuses ${ownCertificate(tls)}`,
  ],
  [/CERT_HAS_EXPIRED|certificate has expired/i, () => 'the server certificate has expired'],
  [/CERT_NOT_YET_VALID|not yet valid/i, () => 'the server certificate is not valid yet; check the clocks'],
  [/ERR_TLS_CERT_ALTNAME_INVALID|altname/i, () => 'the server certificate is for another name'],
  [
    /SELF_SIGNED|self-signed|UNABLE_TO_(GET_ISSUER|VERIFY)|unable to (get|verify)|CERT_SIGNATURE_FAILURE|certificate signature failure|CERT_UNTRUSTED/i,
    ({ caFile }) =>
      caFile === undefined
        ? 'the server certificate is signed by a CA that is not known here; give the CA file'
        : `the server certificate is not signed by a CA in ${caFile}`,
  ],
  [
    /WRONG_VERSION_NUMBER|wrong version number|packet length too long/i,
    () => 'the server does not speak TLS on this port; use http://',
  ],
  [
    /alert protocol version|UNSUPPORTED_PROTOCOL|no protocols? available/i,
    () => 'client and server have no TLS version in common',
  ],
  [/alert handshake failure|NO_SHARED_CIPHER|no shared cipher/i, () => 'client and server have no cipher in common'],
];

/** One sentence for a person: what is wrong with TLS at this endpoint, followed by the library's own words. */
export function tlsFailure(endpoint: string, error: unknown, tls: EtcdTlsAccess = {}): EtcdOpsError {
  const text = textOf(error);
  const say = SENTENCES.find(([pattern]) => pattern.test(text))?.[1];
  const sentence = say === undefined ? 'the TLS handshake failed' : say(tls);
  return new EtcdOpsError('ETCD_TLS', {
    message: `${endpoint}: ${sentence} (${shortTextOf(error)})`,
    facts: { endpoint },
    cause: error,
  });
}

/** True when the text is one of TLS, and not of the network. */
export function isTlsText(error: unknown): boolean {
  const text = textOf(error);
  return SENTENCES.some(([pattern]) => pattern.test(text)) || /ERR_SSL|ERR_TLS|ERR_OSSL|\bEPROTO\b/.test(text);
}

function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as NodeJS.ErrnoException;
  return `${code ?? ''} ${error.message}`;
}

/** OpenSSL's errors carry addresses and source files: only the reason is of use. */
function shortTextOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code, reason } = error as NodeJS.ErrnoException & { reason?: string };
  const text = error.message.includes(':error:') ? (reason ?? code ?? 'no reason given') : error.message;
  return text.split('\n')[0]!.slice(0, 300);
}
