import { status } from '@grpc/grpc-js';
import { EtcdOpsError, type ErrorCode } from '@etcd-ops/core';

/** A call that ended with something else than OK: gRPC's code and the text that came with it. */
export interface CallStatus {
  code: status;
  details: string;
}

export interface CallPlace {
  /** As the user wrote it. */
  endpoint: string;
  /** `Snapshot`, `Watch`, ... */
  call: string;
  /** The user that the call was made as; undefined when no credential is given. */
  user?: string;
  /** The right that etcd asks for, such as `the role root`. */
  needs?: string;
}

/**
 * etcd's texts, most telling first: etcd answers many auth failures with code 2 or 14, and a token that ran out with 16, 2 or
 * (watch) inside a response, so the text decides before the code does. Source: etcd's api/v3rpc/rpctypes/error.go and server/auth/store.go.
 */
const TEXTS: readonly (readonly [RegExp, ErrorCode])[] = [
  [/required revision has been compacted/, 'ETCD_COMPACTED'],
  [
    /invalid auth token|permission denied|user name is empty|authentication failed|revision in header is old/,
    'ETCD_AUTH',
  ],
  [/^(etcdserver: |auth: )?auth(entication)?: |user name not found|password was given/, 'ETCD_AUTH'],
  [/no leader|leader changed|leader failed/, 'ETCD_NO_LEADER'],
  [/request timed out|too many requests/, 'ETCD_TIMEOUT'],
  [/larger than max/, 'LIMIT_EXCEEDED'],
];

const TLS_TEXT =
  /certificate|self.signed|\bssl\b|\btls\b|EPROTO|ERR_SSL|ERR_TLS|handshake|altname|unable to (verify|get)|wrong version number|CERT_/i;
const TOKEN_TEXT = /invalid auth token|revision in header is old|user name is empty/;

/** Says what happened in the project's codes, naming the endpoint and the call. */
export function etcdFailure(place: CallPlace, failure: CallStatus): EtcdOpsError {
  const code = codeOf(failure);
  const said = withoutJargon(failure.details) || 'no reason given';
  const explanation = code === 'ETCD_AUTH' ? refusal(place, said) : undefined;
  return new EtcdOpsError(code, {
    message: `${place.call} at ${place.endpoint}: ${explanation === undefined ? said : `${explanation} (etcd: ${said})`}`,
    facts: { endpoint: place.endpoint, user: place.user, needs: place.needs },
  });
}

/** grpc-js tells how its own parts spent the time. */
function withoutJargon(details: string): string {
  return details.replace(/^Deadline exceeded after ([\d.]+)s\b.*$/s, 'no answer within $1 s');
}

/** What a refusal means: etcd says the same in many ways, by call and version. */
function refusal({ user, needs }: CallPlace, said: string): string | undefined {
  if (/user name is empty/.test(said) && user === undefined) {
    return 'etcd asks for a login, and no credentials are given';
  }
  if (/authentication failed|user name not found/.test(said)) {
    return `etcd does not know the user ${user ?? ''} with this password`;
  }
  if (/permission denied/.test(said) && user !== undefined) {
    return `the user ${user} may not do this: it needs ${needs ?? 'another right'}`;
  }
  if (/invalid auth token|revision in header is old/.test(said)) {
    return 'the login was refused again right after it was made';
  }
  return undefined;
}

/** True when a fresh login may help: the token ran out, the server forgot it, or auth was switched on meanwhile. */
export function isTokenFailure(failure: CallStatus): boolean {
  return (
    TOKEN_TEXT.test(failure.details) || (failure.code === status.UNAUTHENTICATED && !failure.details.includes('failed'))
  );
}

export function cancelled(place: CallPlace, reason: unknown): EtcdOpsError {
  return new EtcdOpsError('CANCELLED', { message: `${place.call} at ${place.endpoint} was cancelled`, cause: reason });
}

function codeOf({ code, details }: CallStatus): ErrorCode {
  for (const [text, result] of TEXTS) if (text.test(details)) return result;
  switch (code) {
    case status.UNAUTHENTICATED:
    case status.PERMISSION_DENIED:
      return 'ETCD_AUTH';
    case status.DEADLINE_EXCEEDED:
      // Without a connection (grpc-js names the peer once it has one) the deadline tells of the network, not of etcd.
      return details.includes('remote_addr=') || details.includes('no answer') ? 'ETCD_TIMEOUT' : 'ETCD_UNREACHABLE';
    case status.UNAVAILABLE:
      // Also what a server that is stopping, or does not speak TLS, looks like.
      if (/disconnected before secure TLS/.test(details)) return 'ETCD_UNREACHABLE';
      return TLS_TEXT.test(details) ? 'ETCD_TLS' : 'ETCD_UNREACHABLE';
    case status.CANCELLED:
    case status.INTERNAL:
      // A stream that ended without a status: etcd stopped, or something between cut it.
      return 'ETCD_UNREACHABLE';
    default:
      return 'ETCD_FAILED';
  }
}
