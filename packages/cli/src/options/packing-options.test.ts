import { expect, test } from 'vitest';
import { packingOf, type PackingOptions } from './packing-options.ts';

const options = (given: Partial<PackingOptions>): PackingOptions => ({
  enableCompression: true,
  compressionPolicy: 'gzip',
  ...given,
});

test('a level that the codec does not have is refused before anything is done', async () => {
  await expect(packingOf(options({ compressionLevel: 15 }))).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringContaining('gzip has the levels 1 to 9'),
  });
  await expect(packingOf(options({ compressionLevel: 0 }))).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  const zstd = await packingOf(options({ compressionPolicy: 'zstd', compressionLevel: 15 }));
  expect(zstd).toMatchObject({ codec: 'zstd', compressionLevel: 15 });
  // What is not compressed has no level.
  expect(await packingOf(options({ enableCompression: false, compressionLevel: 15 }))).toMatchObject({ codec: 'none' });
});
