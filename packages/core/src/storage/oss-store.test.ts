import { OssServer, type OssAccount } from '@etcd-ops/local-servers';
import { afterAll, beforeAll } from 'vitest';
import { describeObjectStore } from './object-store-conformance.ts';
import type { ObjectStore } from './object-store.ts';
import { remoteStoreOf } from './open-remote.ts';
import { OssCredentialChain } from './oss-credentials.ts';
import { openOssBucket } from './oss-open.ts';
import type { OssStoreSpec } from './store-spec.ts';

const account: OssAccount = { accessKeyId: 'LTAI0123456789', accessKeySecret: 'the-secret-of-this-test' };

let server: OssServer;
beforeAll(async () => {
  server = await OssServer.start({ accounts: [account], buckets: ['bak-bucket', 'second-bucket'] });
});
afterAll(async () => await server.close());

async function open(more: Partial<OssStoreSpec> = {}): Promise<ObjectStore> {
  const source = { name: 'the test', read: async () => ({ ...account, endpoint: server.endpoint }) };
  const spec: OssStoreSpec = { provider: 'OSS', bucket: 'bak-bucket', ...more };
  return remoteStoreOf(await openOssBucket(spec, { chain: new OssCredentialChain([source]) }), spec);
}

describeObjectStore('OSS, signature V1', async () => await open());
describeObjectStore('OSS, signature V4', async () => await open({ bucket: 'second-bucket', region: 'cn-hangzhou' }));
