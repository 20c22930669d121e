import { expect, it } from 'vitest';
import { LocalStore } from './local-store.ts';
import { openStore } from './open-store.ts';
import type { StoreSpec } from './store-spec.ts';

it('opens a local store', async () => {
  expect(await openStore({ provider: 'Local', bucket: '/b' })).toBeInstanceOf(LocalStore);
});

it('names what is supported when a provider is not', async () => {
  // The schema lets no other provider in today; a spec of a later version might.
  const spec = { provider: 'GCS', bucket: 'b' } as unknown as StoreSpec;
  await expect(openStore(spec)).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringContaining('"GCS"'),
    remedy: 'Use one of: Local, S3, OSS.',
  });
});
