import { OssServer, type OssAccount } from '@etcd-ops/local-servers';
import { afterAll, beforeAll } from 'vitest';
import { systemClock } from '../base/clock.ts';
import { limitedBucket } from './limited-bucket.ts';
import { describeObjectStore } from './object-store-conformance.ts';
import { OssCredentialChain } from './oss-credentials.ts';
import { openOssBucket } from './oss-open.ts';
import { RemoteStore } from './remote-store.ts';
import { retryingBucket } from './retrying-bucket.ts';
import type { OssStoreSpec } from './store-spec.ts';

const account: OssAccount = { accessKeyId: 'LTAI0123456789', accessKeySecret: 'the-secret-of-this-test' };

let server: OssServer;
beforeAll(async () => {
  server = await OssServer.start({ accounts: [account], buckets: ['bak-bucket', 'second-bucket'] });
});
afterAll(async () => await server.close());

async function openRemote(spec: Partial<OssStoreSpec> = {}): Promise<RemoteStore> {
  const source = { name: 'the test', read: async () => ({ ...account, endpoint: server.endpoint }) };
  const bucket = await openOssBucket(
    { provider: 'OSS', bucket: 'bak-bucket', ...spec },
    { chain: new OssCredentialChain([source]) },
  );
  const limited = limitedBucket(bucket, { requestsInFlightMax: 32, clock: systemClock });
  const policy = { deadlineMs: 2000, delayMs: 10, clock: systemClock, random: Math.random };
  return new RemoteStore(retryingBucket(limited, policy), {
    prefix: '',
    partBytes: 5 * 1024 * 1024,
    partsInFlightMax: 3,
  });
}

describeObjectStore('OSS, signature V1', async () => await openRemote());
describeObjectStore(
  'OSS, signature V4',
  async () => await openRemote({ bucket: 'second-bucket', region: 'cn-hangzhou' }),
);
