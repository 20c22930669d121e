import { describe, expect, it } from 'vitest';
import { storeSpec } from './store-spec.ts';

/** What the flags are when nobody gives them. */
const defaults = {
  storageProvider: 'OSS',
  bucket: 'bak-bucket',
  clusterName: 'prod',
  storeAddressing: 'auto',
  storeChecksums: 'auto',
  storeInsecureSkipVerify: false,
} as unknown as Parameters<typeof storeSpec>[0];

describe('OSS', () => {
  it('needs no more than the bucket: the rest lies with the credentials', () => {
    expect(storeSpec(defaults)).toEqual({ provider: 'OSS', bucket: 'bak-bucket' });
  });

  it.for([
    ['path', 'path'],
    ['host', 'virtual'],
    ['cname', 'cname'],
  ] as const)('--store-addressing %s', ([storeAddressing, addressing]) => {
    expect(storeSpec({ ...defaults, storeAddressing })).toMatchObject({ addressing });
  });
});

it('S3 knows no domain that stands for a bucket', () => {
  expect(() => storeSpec({ ...defaults, storageProvider: 'S3', storeAddressing: 'cname' })).toThrow(
    expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining('cname') }),
  );
});
