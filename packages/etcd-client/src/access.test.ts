import { expect, test } from 'vitest';
import { isEtcdOpsError } from '@etcd-ops/core';
import { parseEndpoint } from './access.ts';

test('without a scheme it is http, unless TLS files are given', () => {
  expect(parseEndpoint('a:2380', undefined)).toEqual({ endpoint: 'a:2380', target: 'a:2380', secure: false });
  expect(parseEndpoint('a:2380', {})).toMatchObject({ secure: false });
  expect(parseEndpoint('a:2380', { caFile: 'ca.pem' })).toMatchObject({ target: 'a:2380', secure: true });
  expect(parseEndpoint('http://a:2380', { caFile: 'ca.pem' })).toMatchObject({ secure: false });
  expect(parseEndpoint('https://[::1]:2380/', undefined)).toMatchObject({ target: '[::1]:2380', secure: true });
  expect(parseEndpoint('http://a:80', undefined)).toMatchObject({ target: 'a:80' });
  expect(parseEndpoint('127.0.0.1:443', { insecureSkipVerify: true })).toMatchObject({
    target: '127.0.0.1:443',
    secure: true,
  });
});

test.each(['', 'unix:///tmp/etcd.sock', 'ftp://a:1', 'http://a:1/path', 'http://a:99999', 'http://a:1?x=1'])(
  '%j is refused',
  (endpoint) => {
    expect(() => parseEndpoint(endpoint, undefined)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  },
);

test('a password in an endpoint is refused and not repeated', () => {
  try {
    parseEndpoint('http://root:secret@a:1', undefined);
    expect.unreachable();
  } catch (error) {
    expect(isEtcdOpsError(error, 'CONFIG_INVALID')).toBe(true);
    expect(String(error)).not.toContain('secret');
  }
});
