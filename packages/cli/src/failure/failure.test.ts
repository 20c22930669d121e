import { ERROR_CODES, EtcdOpsError, type ErrorCode } from '@etcd-ops/core';
import { expect, test } from 'vitest';
import { UsageError } from '../options/usage-error.ts';
import { reportFailure, type FailureAudience } from './failure.ts';

function told(error: unknown, audience?: FailureAudience): { exitCode: number; lines: string[] } {
  let text = '';
  const exitCode = reportFailure(error, { write: (part) => (text += part) }, audience);
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

const CHINESE: FailureAudience = { language: 'zh', format: 'text' };
/** Three words of English in a row are an English sentence. */
const ENGLISH = /\b[a-z]+ [a-z]+ [a-z]+\b/;

test.each(Object.keys(ERROR_CODES) as ErrorCode[])(
  '%s is told in Chinese, with the message as it was thrown',
  (code) => {
    const { exitCode, lines } = told(new EtcdOpsError(code, { message: 'The original message' }), CHINESE);
    expect(exitCode).toBe(ERROR_CODES[code].exit);
    expect(lines).toHaveLength(5);
    expect(lines[0]).toMatch(/^etcd-ops: .*\p{Script=Han}/u);
    expect(lines[1]).toMatch(/^ {2}原因: .*\p{Script=Han}.*。$/u);
    expect(lines[2]).toMatch(/^ {2}处理: .*\p{Script=Han}.*。$/u);
    expect(lines[3]).toBe('  详情: The original message');
    expect(lines[4]).toBe(`  (${code}，退出码 ${exitCode})`);
    for (const line of lines.slice(0, 3)) expect(line.replaceAll(/`[^`]*`/g, '')).not.toMatch(ENGLISH);
    expect(lines.join('')).not.toMatch(/undefined|\[object/);
  },
);

test('the facts of a failure stand in its Chinese sentences, and what the system said', () => {
  const facts = { revision: 150, below: 100, above: 200, gapFirst: 101, gapLast: 199, ranges: '1-100, 200-300' };
  const gap = told(new EtcdOpsError('REVISION_NOT_RESTORABLE', { message: 'm', remedy: 'r', facts }), CHINESE);
  expect(gap.lines.slice(0, 4)).toEqual([
    'etcd-ops: revision 150 无法恢复；它位于缺口中（101 至 199 没有备份）；之前最近可恢复的是 100；之后最近可恢复的是 200',
    '  原因: 没有任何备份链覆盖该 revision。',
    '  处理: 可恢复的 revision：1-100, 200-300；详见 `etcd-ops list`。',
    '  详情: m. r.',
  ]);
  const cause = Object.assign(new Error('EROFS: read-only file system, mkdir'), { code: 'EROFS' });
  const disk = told(new EtcdOpsError('DISK_FAILED', { message: 'm', facts: { path: '/x' }, cause }), CHINESE);
  expect(disk.lines.slice(0, 2)).toEqual([
    'etcd-ops: 本地磁盘操作失败：/x',
    '  原因: 本地磁盘拒绝了操作或发生故障：文件系统是只读的（EROFS）。',
  ]);
});

test('mistakes of usage are told in the language of the user', () => {
  const problem = { message: { en: 'a', zh: '甲' }, remedy: { en: 'Do b.', zh: '请做乙。' } };
  expect(told(new UsageError([problem]), CHINESE).lines).toEqual([
    'etcd-ops: 甲',
    '  原因: 命令行或配置有误。',
    '  处理: 请做乙。',
    '  (USAGE，退出码 2)',
  ]);
  expect(told(new UsageError([problem, problem]), CHINESE).lines[0]).toBe('etcd-ops: 有 2 处设置有误');
});

test('for programs a failure is one JSON document, whatever the language', () => {
  const document = (error: unknown, language: 'en' | 'zh'): unknown => {
    const { lines } = told(error, { language, format: 'json' });
    expect(lines).toHaveLength(1);
    return JSON.parse(lines[0]!);
  };
  const error = new EtcdOpsError('ETCD_UNREACHABLE', { message: 'no answer', facts: { endpoint: 'a:1' } });
  const english = {
    code: 'ETCD_UNREACHABLE',
    exitCode: 8,
    message: 'no answer',
    why: 'No connection to etcd could be made.',
    remedy: 'Check the endpoints, the network and whether etcd runs.',
    retriable: true,
  };
  expect(document(error, 'en')).toEqual({ error: english });
  expect(document(error, 'zh')).toEqual({
    error: {
      ...english,
      localized: {
        language: 'zh',
        message: '无法连接 etcd：a:1',
        why: '没有建立到 etcd 的连接。',
        remedy: '请检查 endpoints、网络以及 etcd 是否在运行。',
      },
    },
  });
  expect(document(new UsageError([{ message: 'a' }, { message: 'b' }]), 'en')).toMatchObject({
    error: { code: 'USAGE', exitCode: 2, message: 'a; b', problems: [{ message: 'a' }, { message: 'b' }] },
  });
  expect(document(new TypeError('x'), 'en')).toMatchObject({ error: { code: 'UNEXPECTED', exitCode: 1 } });
});
