/**
 * Takes a snapshot of a living etcd into a file, as `etcdctl snapshot save` does: stream, SHA-256, sync.
 *
 *     node bench/src/engine-save.ts ENDPOINT FILE
 */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { EtcdMember } from '@etcd-ops/etcd-client';

const [endpoint, path] = process.argv.slice(2);
if (endpoint === undefined || path === undefined) throw new Error('usage: node bench/src/engine-save.ts ENDPOINT FILE');
using member = new EtcdMember(endpoint, { endpoints: [endpoint] });
const file = await open(path, 'wx', 0o600);
const hash = createHash('sha256');
let tail = Buffer.alloc(0);
let bytes = 0;
for await (const chunk of member.snapshot()) {
  // The last 32 bytes are the hash of those before: they are held back.
  const all = tail.length === 0 ? chunk : Buffer.concat([tail, chunk]);
  hash.update(all.subarray(0, Math.max(0, all.length - 32)));
  tail = Buffer.from(all.subarray(Math.max(0, all.length - 32)));
  await file.write(chunk, 0, chunk.length, bytes);
  bytes += chunk.length;
}
if (!hash.digest().equals(tail)) throw new Error('the SHA-256 of the snapshot is wrong');
await file.sync();
await file.close();
console.log(JSON.stringify({ bytes }));
