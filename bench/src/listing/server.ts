/** An S3 server in memory that holds a repository of so many objects, in a process of its own. Each page may take a while, as one over a network does. */
import { setTimeout as delay } from 'node:timers/promises';
import { S3Server } from '@etcd-ops/test-kit';
import { repositoryObjects } from './objects.ts';

const [bucket = '', accessKeyId = '', secretAccessKey = '', objects = '0', pageMs = '0'] = process.argv.slice(2);
const server = await S3Server.start({ accounts: [{ accessKeyId, secretAccessKey }], buckets: [bucket] });
for (const { key, body } of repositoryObjects(Number(objects))) {
  server.bucket(bucket).write(key, { body, modifiedAtMs: Date.now() });
}
server.bucket(bucket).keys();
if (Number(pageMs) > 0) {
  server.faults.add({
    operation: 'ListObjectsV2',
    times: Number.POSITIVE_INFINITY,
    effect: {
      kind: 'hold',
      get until() {
        return delay(Number(pageMs));
      },
    },
  });
}
process.on('message', () => process.send?.({ endpoint: server.endpoint }));
process.on('disconnect', () => process.exit(0));
process.send?.('ready');
