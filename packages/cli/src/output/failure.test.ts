import { EtcdOpsError } from '@etcd-ops/core';
import { expect, test } from 'vitest';
import { UsageError } from '../options/usage-error.ts';
import { reportFailure } from './failure.ts';

function told(error: unknown): { exitCode: number; lines: string[] } {
  let text = '';
  const exitCode = reportFailure(error, { write: (part) => (text += part) });
  return { exitCode, lines: text.trimEnd().split('\n') };
}

test('a failure is what, why, what to do and its code', () => {
  const cause = new Error('ENOSPC: no space left on device, write');
  expect(told(new EtcdOpsError('DISK_FAILED', { message: '/data: it could not be written', cause }))).toEqual({
    exitCode: 12,
    lines: [
      'etcd-ops: /data: it could not be written',
      '  why: ENOSPC: no space left on device, write',
      '  do:  Check free space, rights and the health of the disk.',
      '  (DISK_FAILED, exit code 12)',
    ],
  });
});

test('what the message says already is not said again as its reason', () => {
  const inner = new EtcdOpsError('ETCD_UNREACHABLE', {
    message: 'Status at a:1: No connection established. Last error: Error: connect ECONNREFUSED a:1. Resolution note: ',
  });
  const { lines } = told(
    new EtcdOpsError('ETCD_UNREACHABLE', { message: `no endpoint can be used (${inner.message})`, cause: inner }),
  );
  expect(lines.slice(0, 2)).toEqual([
    'etcd-ops: no endpoint can be used (Status at a:1: connect ECONNREFUSED a:1)',
    '  why: No connection to etcd could be made.',
  ]);
});

test('lines of OpenSSL are no reason that anybody could read', () => {
  const raw = new Error(
    '40CDC9:error:0A00045C:SSL routines:ssl3_read_bytes:alert:../deps/openssl/rec.c:918:SSL alert number 116\n',
  );
  const { lines } = told(new EtcdOpsError('ETCD_TLS', { message: 'a: it asks for a certificate', cause: raw }));
  expect(lines).toHaveLength(4);
  expect(lines[1]).toBe('  why: The TLS handshake with etcd failed.');
});

test('several mistakes of usage are told together', () => {
  const { exitCode, lines } = told(new UsageError([{ message: 'a', remedy: 'Do b.' }, { message: 'c' }]));
  expect(exitCode).toBe(2);
  expect(lines).toEqual([
    'etcd-ops: 2 settings are wrong',
    '  - a',
    '    do: Do b.',
    '  - c',
    '    do: Correct the option named; --help lists them all.',
    '  (USAGE, exit code 2)',
  ]);
});

test('a bug is called one', () => {
  const { exitCode, lines } = told(new TypeError('x is not a function'));
  expect(exitCode).toBe(1);
  expect(lines[1]).toContain('x is not a function');
});
