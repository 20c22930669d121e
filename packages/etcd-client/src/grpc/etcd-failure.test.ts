import { status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { etcdFailure, isTokenFailure } from './etcd-failure.ts';

const place = { endpoint: 'http://a:1', call: 'Range' };

test.each<[status, string, string]>([
  [status.UNAVAILABLE, 'No connection established. Last error: connect ECONNREFUSED 127.0.0.1:1', 'ETCD_UNREACHABLE'],
  [
    status.UNAVAILABLE,
    'No connection established. Last error: self-signed certificate in certificate chain',
    'ETCD_TLS',
  ],
  [
    status.UNAVAILABLE,
    "No connection established. Last error: Hostname/IP does not match certificate's altnames: IP: 1.2.3.4",
    'ETCD_TLS',
  ],
  [status.UNAVAILABLE, 'Connection dropped', 'ETCD_UNREACHABLE'],
  [status.INTERNAL, 'Received RST_STREAM with code 0 (Call ended without gRPC status)', 'ETCD_UNREACHABLE'],
  [status.UNAVAILABLE, 'etcdserver: no leader', 'ETCD_NO_LEADER'],
  [status.UNAVAILABLE, 'etcdserver: leader changed', 'ETCD_NO_LEADER'],
  [status.UNAVAILABLE, 'etcdserver: request timed out', 'ETCD_TIMEOUT'],
  [status.DEADLINE_EXCEEDED, 'Deadline exceeded after 1.001s,remote_addr=127.0.0.1:1', 'ETCD_TIMEOUT'],
  [status.DEADLINE_EXCEEDED, 'Deadline exceeded after 1.001s,Waiting for LB pick', 'ETCD_UNREACHABLE'],
  [status.OUT_OF_RANGE, 'etcdserver: mvcc: required revision has been compacted', 'ETCD_COMPACTED'],
  [status.OUT_OF_RANGE, 'etcdserver: mvcc: required revision is a future revision', 'ETCD_FAILED'],
  [status.UNKNOWN, 'auth: permission denied', 'ETCD_AUTH'],
  [status.UNKNOWN, 'auth: user name is empty', 'ETCD_AUTH'],
  [status.UNKNOWN, 'auth: invalid auth token', 'ETCD_AUTH'],
  [status.UNAUTHENTICATED, 'etcdserver: invalid auth token', 'ETCD_AUTH'],
  [status.PERMISSION_DENIED, 'etcdserver: permission denied', 'ETCD_AUTH'],
  [status.INVALID_ARGUMENT, 'etcdserver: authentication failed, invalid user ID or password', 'ETCD_AUTH'],
  [status.RESOURCE_EXHAUSTED, 'Received message larger than max (70000000 vs 67108864)', 'LIMIT_EXCEEDED'],
  [status.RESOURCE_EXHAUSTED, 'etcdserver: mvcc: database space exceeded', 'ETCD_FAILED'],
])('code %i "%s" is %s', (code, details, expected) => {
  const error = etcdFailure(place, { code, details });
  expect(error.code).toBe(expected);
  expect(error.message).toContain('http://a:1');
  expect(error.message).toContain('Range');
});

test('only failures of the token ask for a new login', () => {
  expect(isTokenFailure({ code: status.UNKNOWN, details: 'auth: invalid auth token' })).toBe(true);
  expect(isTokenFailure({ code: status.UNAUTHENTICATED, details: 'etcdserver: invalid auth token' })).toBe(true);
  expect(
    isTokenFailure({
      code: status.INVALID_ARGUMENT,
      details: 'etcdserver: authentication failed, invalid user ID or password',
    }),
  ).toBe(false);
  expect(isTokenFailure({ code: status.PERMISSION_DENIED, details: 'etcdserver: permission denied' })).toBe(false);
});
