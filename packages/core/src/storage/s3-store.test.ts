import { afterAll, beforeAll } from 'vitest';
import { describeObjectStore } from './object-store-conformance.ts';
import { S3World } from './testing/s3-world.ts';

let world: S3World;
beforeAll(async () => {
  world = await S3World.start();
});
afterAll(async () => await world[Symbol.asyncDispose]());

describeObjectStore('S3', async () => await world.open({ prefix: 'plain' }));
describeObjectStore('S3 with CRC32', async () => await world.open({ prefix: 'crc32', checksums: 'crc32' }));
describeObjectStore('S3 with MD5', async () => await world.open({ prefix: 'md5/', checksums: 'md5' }));
