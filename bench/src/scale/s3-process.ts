/** An S3 server in memory that counts what is asked of it, in a process of its own. */
import { S3Server } from '@etcd-ops/test-kit';
import type { S3Question, S3Report } from './s3.ts';

const [bucket = '', accessKeyId = '', secretAccessKey = ''] = process.argv.slice(2);
const server = await S3Server.start({ accounts: [{ accessKeyId, secretAccessKey }], buckets: [bucket] });
const requests: Record<string, number> = {};
const refused: Record<string, number> = {};

function count(): void {
  for (const { operation, status } of server.seen.splice(0)) {
    requests[operation] = (requests[operation] ?? 0) + 1;
    if (status >= 400) refused[`${operation} ${status}`] = (refused[`${operation} ${status}`] ?? 0) + 1;
  }
}

setInterval(count, 1_000);
process.on('message', (question: S3Question) => {
  count();
  const keys = server.bucket(bucket).keys();
  const report: S3Report = {
    endpoint: server.endpoint,
    requests,
    refused,
    objects: keys.length,
    found: question.suffix === undefined ? 0 : keys.filter((key) => key.endsWith(question.suffix!)).length,
    keys: question.prefix === undefined ? [] : keys.filter((key) => key.startsWith(question.prefix!)),
  };
  process.send?.(report);
});
process.on('disconnect', () => process.exit(0));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);
process.send?.('ready');
