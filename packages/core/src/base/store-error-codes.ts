import type { ErrorCodeFacts } from './error-code-facts.ts';

/** Failures of the store, exit code 9. */
export const STORE_ERROR_CODES = {
  STORE_NOT_FOUND: {
    exit: 9,
    cause: 'The object does not exist.',
    remedy: 'Check bucket and cluster name.',
    retriable: false,
  },
  STORE_EXISTS: {
    exit: 9,
    cause: 'An object of that name with other bytes exists already.',
    remedy: 'Somebody else writes to this repository; give each cluster its own name.',
    retriable: false,
  },
  STORE_FAILED: {
    exit: 9,
    cause: 'The store refused or failed.',
    remedy: 'Check that the store is reachable, writable and not full.',
    retriable: true,
  },
  STORE_REFUSED: {
    exit: 9,
    cause: 'The store does not accept the request, and would not later.',
    remedy: 'See the answer of the store; the store section of docs/OPERATIONS.md names what servers differ in.',
    retriable: false,
  },
  STORE_NO_BUCKET: {
    exit: 9,
    cause: 'The bucket does not exist, or lies in another region or at another endpoint.',
    remedy: 'Check --bucket, --store-region and --store-endpoint; etcd-ops makes no buckets.',
    retriable: false,
  },
  STORE_DENIED: {
    exit: 9,
    cause: 'The store knows the credentials, but they may not do this.',
    remedy: 'Give them the rights that docs/OPERATIONS.md lists; an object lock refuses deletions to everybody.',
    retriable: false,
  },
  STORE_CREDENTIALS: {
    exit: 9,
    cause: 'There are no credentials for the store, or it does not accept them: wrong, revoked or expired.',
    remedy: 'Check the folder, file or profile of the credentials; changed files are picked up without a restart.',
    retriable: false,
  },
  STORE_TLS: {
    exit: 9,
    cause: 'The certificate of the store is not trusted, or the TLS handshake failed.',
    remedy: 'Name its CA with --store-cacert, and reach it by a name that its certificate holds.',
    retriable: false,
  },
  STORE_CLOCK_SKEW: {
    exit: 9,
    cause: 'The clocks of this host and of the store differ too much for signed requests.',
    remedy: 'Set the clock of this host right (NTP).',
    retriable: false,
  },
  STORE_UNREACHABLE: {
    exit: 9,
    cause: 'No connection to the store could be made, or it broke.',
    remedy: 'Check --store-endpoint, the network, proxies and whether the store runs.',
    retriable: true,
  },
  STORE_BUSY: {
    exit: 9,
    cause: 'The store asks for fewer requests, or is out of order for now.',
    remedy: 'It is tried again by itself; lower --upload-bandwidth or the number of clusters per bucket if it recurs.',
    retriable: true,
  },
  STORE_UNSAFE: {
    exit: 9,
    cause: 'The store, or what it is set to, may lose or change backups by itself.',
    remedy: 'Change the setting that is named, or take another store.',
    retriable: false,
  },
  STORE_KEY_INVALID: {
    exit: 9,
    cause: 'The object key is not allowed.',
    remedy: 'Use names of letters, digits, dot, dash, underscore and =.',
    retriable: false,
  },
} as const satisfies Record<string, ErrorCodeFacts>;
