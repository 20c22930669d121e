import { expect, it } from 'vitest';
import { parseOssEndpoint } from './oss-endpoint.ts';

const bucket = 'bak-bucket';

it.for([
  ['oss-cn-hangzhou.aliyuncs.com', 'https://oss-cn-hangzhou.aliyuncs.com', 'cn-hangzhou', 'virtual'],
  ['https://oss-cn-beijing.aliyuncs.com/', 'https://oss-cn-beijing.aliyuncs.com', 'cn-beijing', 'virtual'],
  ['http://oss-us-west-1.aliyuncs.com', 'http://oss-us-west-1.aliyuncs.com', 'us-west-1', 'virtual'],
  ['oss-cn-shenzhen-internal.aliyuncs.com', 'https://oss-cn-shenzhen-internal.aliyuncs.com', 'cn-shenzhen', 'virtual'],
  [
    'oss-cn-hangzhou-finance.aliyuncs.com',
    'https://oss-cn-hangzhou-finance.aliyuncs.com',
    'cn-hangzhou-finance',
    'virtual',
  ],
  ['bak-bucket.oss-cn-beijing.aliyuncs.com', 'https://oss-cn-beijing.aliyuncs.com', 'cn-beijing', 'virtual'],
  ['oss-accelerate.aliyuncs.com', 'https://oss-accelerate.aliyuncs.com', undefined, 'virtual'],
  ['oss.example.com:8443', 'https://oss.example.com:8443', undefined, 'virtual'],
  ['http://127.0.0.1:9000', 'http://127.0.0.1:9000', undefined, 'path'],
  ['http://[::1]:9000', 'http://[::1]:9000', undefined, 'path'],
  ['http://localhost:9000', 'http://localhost:9000', undefined, 'path'],
] as const)('%s', ([given, url, region, addressing]) => {
  expect(parseOssEndpoint(given, { bucket })).toEqual({ url, region, addressing });
});

it('takes the region that it is told, with or without the name of the product before it', () => {
  expect(parseOssEndpoint(undefined, { bucket, region: 'oss-cn-beijing' })).toEqual({
    url: 'https://oss-cn-beijing.aliyuncs.com',
    region: 'cn-beijing',
    addressing: 'virtual',
  });
  expect(parseOssEndpoint('oss-accelerate.aliyuncs.com', { bucket, region: 'cn-beijing' }).region).toBe('cn-beijing');
});

it("takes a domain of the user's own for the bucket when it is told to", () => {
  const url = 'https://backups.example.com';
  expect(parseOssEndpoint(url, { bucket, addressing: 'cname' })).toEqual({
    url,
    region: undefined,
    addressing: 'cname',
  });
  const own = 'https://bak-bucket.example.com';
  expect(parseOssEndpoint(own, { bucket, addressing: 'cname' }).url).toBe(own);
});

it.for([
  'https://id:secret@oss-cn-hangzhou.aliyuncs.com',
  'ftp://oss-cn-hangzhou.aliyuncs.com',
  'https://oss-cn-hangzhou.aliyuncs.com/bucket',
  'oss cn',
  '',
])('refuses %j and repeats nothing of it', (given) => {
  expect(() => parseOssEndpoint(given, { bucket })).toThrow(
    expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.not.stringContaining('secret') }),
  );
});

it('says what is missing when nothing is known', () => {
  expect(() => parseOssEndpoint(undefined, { bucket })).toThrow(
    expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining('bak-bucket') }),
  );
});
