import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  ossCanonicalRequestV4,
  ossSignatureV1,
  ossSignatureV4,
  ossStringToSignV1,
  type OssSignable,
} from './oss-signature.ts';

const signable = (given: Partial<OssSignable>): OssSignable => ({
  method: 'PUT',
  query: new Map(),
  headers: {},
  ...given,
});

describe('V1', () => {
  it('signs the example of the documentation ("Include a V1 signature in the header")', () => {
    const request = signable({
      bucket: 'oss-example',
      key: 'nelson',
      headers: {
        'content-md5': 'ODBGOERFMDMzQTczRUY3NUE3NzA5QzdFNUYzMDQxNEM=',
        'content-type': 'text/html',
        date: 'Thu, 17 Nov 2005 18:49:58 GMT',
        host: 'oss-example.oss-cn-hangzhou.aliyuncs.com',
        'x-oss-meta-author': 'foo@bar.com',
        'x-oss-magic': 'abracadabra',
      },
    });
    expect(ossSignatureV1('OtxrzxIsfpFjA7SwPzILwy8Bw21TLhquhboDYROV', request, 'Thu, 17 Nov 2005 18:49:58 GMT')).toBe(
      '26NBxoKdsyly4EDv6inkoDft/yA=',
    );
  });

  // Published with the vendor's SDK for Go, version 2 (its tests of the signer), key id `ak`, secret `sk`.
  const date = 'Wed, 28 Dec 2022 10:27:41 GMT';
  const author = { 'x-oss-date': date, 'x-oss-meta-author': 'alice', 'x-oss-meta-magic': 'abracadabra' };
  const html = { 'content-md5': 'eB5eJF1ptWaXm4bijSPyxw==', 'content-type': 'text/html', ...author };
  it.for([
    { bucket: 'examplebucket', key: 'nelson', headers: html, signature: 'kSHKmLxlyEAKtZPkJhG9bZb5k7M=' },
    {
      bucket: 'examplebucket',
      key: 'nelson',
      headers: html,
      query: new Map([['acl', undefined]]),
      signature: '/afkugFbmWDQ967j1vr6zygBLQk=',
    },
    {
      method: 'GET',
      bucket: 'examplebucket',
      headers: { 'x-oss-date': date },
      query: new Map([
        ['resourceGroup', undefined],
        ['non-resousce', 'null'],
      ]),
      signature: 'vkQmfuUDyi1uDi3bKt67oemssIs=',
    },
    {
      method: 'GET',
      bucket: 'examplebucket',
      headers: { 'x-oss-date': date },
      query: new Map([
        ['resourceGroup', undefined],
        ['acl', undefined],
      ]),
      signature: 'x3E5TgOvl/i7PN618s5mEvpJDYk=',
    },
  ])('signs the vector $signature of the SDK', ({ signature, ...request }) => {
    expect(ossSignatureV1('sk', signable(request), date)).toBe(signature);
  });

  it('covers sub-resources with their decoded values, and nothing else of the query', () => {
    const query = new Map([
      ['uploadId', 'A b+c'],
      ['partNumber', '3'],
      ['max-keys', '7'],
    ]);
    expect(ossStringToSignV1(signable({ bucket: 'b', key: 'k', query }), 'now')).toBe(
      'PUT\n\n\nnow\n/b/k?partNumber=3&uploadId=A b+c',
    );
  });
});

describe('V4', () => {
  const example = signable({
    bucket: 'examplebucket',
    key: 'exampleobject',
    headers: {
      'content-disposition': 'attachment',
      'content-length': '3',
      'content-md5': 'ICy5YqxZB1uWSwcVLSNLcA==',
      'content-type': 'text/plain',
      host: 'examplebucket.oss-cn-hangzhou.aliyuncs.com',
      'x-oss-content-sha256': 'UNSIGNED-PAYLOAD',
      'x-oss-date': '20250411T064124Z',
    },
  });
  const additional = ['content-disposition', 'content-length'];

  it('makes the canonical request of the documentation ("Include a V4 signature in the Authorization header")', () => {
    const canonical = ossCanonicalRequestV4(example, additional);
    expect(canonical.split('\n').slice(0, 3)).toEqual(['PUT', '/examplebucket/exampleobject', '']);
    expect(createHash('sha256').update(canonical).digest('hex')).toBe(
      'c46d96390bdbc2d739ac9363293ae9d710b14e48081fcb22cd8ad54b63136eca',
    );
  });

  it('signs it as SDKs of other languages do with the secret that is printed there', () => {
    // The documentation's own last line was computed with a secret that it does not print.
    const scope = { date: '20250411', region: 'cn-hangzhou', product: 'oss' };
    expect(ossSignatureV4('yourAccessKeySecret', example, { scope, additional })).toBe(
      'd3694c2dfc5371ee6acd35e88c4871ac95a7ba01d3a2f476768fe61218590097',
    );
  });

  // Published with the vendor's SDK for Go, version 2 (its tests of the signer), key id `ak`, secret `sk`.
  const vector = (timestamp: string, more: Record<string, string> = {}): OssSignable =>
    signable({
      bucket: 'bucket',
      key: '1234+-/123/1.txt',
      headers: {
        'x-oss-head1': 'value',
        abc: 'value',
        zabc: 'value',
        xyz: 'value',
        'content-type': 'text/plain',
        'x-oss-content-sha256': 'UNSIGNED-PAYLOAD',
        'x-oss-date': timestamp,
        ...more,
      },
      query: new Map([
        ['param1', 'value1'],
        ['+param1', 'value3'],
        ['|param1', 'value4'],
        ['+param2', ''],
        ['|param2', ''],
        ['param2', ''],
      ]),
    });
  it.for([
    {
      name: 'a plain request',
      request: vector('20231216T162057Z'),
      scope: { date: '20231216', region: 'cn-hangzhou', product: 'oss' },
      signature: 'e21d18daa82167720f9b1047ae7e7f1ce7cb77a31e8203a7d5f4624fa0284afe',
    },
    {
      name: 'with a security token',
      request: vector('20231217T034736Z', { 'x-oss-security-token': 'token' }),
      scope: { date: '20231217', region: 'cn-hangzhou', product: 'oss' },
      signature: 'b94a3f999cf85bcdc00d332fbd3734ba03e48382c36fa4d5af5df817395bd9ea',
    },
    {
      name: 'with additional headers',
      request: vector('20231216T172512Z'),
      scope: { date: '20231216', region: 'cn-hangzhou', product: 'oss' },
      additional: ['zabc', 'abc'],
      signature: '4a4183c187c07c8947db7620deb0a6b38d9fbdd34187b6dbaccb316fa251212f',
    },
    {
      name: 'with additional headers that are signed anyway or absent',
      request: vector('20231216T172512Z'),
      scope: { date: '20231216', region: 'cn-hangzhou', product: 'oss' },
      additional: ['x-oss-no-exist', 'zabc', 'x-oss-head1', 'abc'],
      signature: '4a4183c187c07c8947db7620deb0a6b38d9fbdd34187b6dbaccb316fa251212f',
    },
    {
      name: 'for another product',
      request: vector('20231216T162057Z'),
      scope: { date: '20231216', region: 'cb-123', product: 'oss-cloudbox' },
      signature: '94ce1f12c17d148ea681030275a94449d3357f5b5b21133996eec80af3e08a43',
    },
  ])('signs the vector of the SDK: $name', ({ request, scope, additional: chosen = [], signature }) => {
    expect(ossSignatureV4('sk', request, { scope, additional: chosen })).toBe(signature);
  });
});
