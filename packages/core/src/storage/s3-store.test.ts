import { afterAll, beforeAll } from 'vitest';
import { describeObjectStore } from './object-store-conformance.ts';
import { S3World } from './testing/s3-world.ts';

let world: S3World;
beforeAll(async () => {
  world = await S3World.start();
});
afterAll(async () => await world[Symbol.asyncDispose]());

describeObjectStore('S3', async () => await world.open({ prefix: 'a/folder' }));
