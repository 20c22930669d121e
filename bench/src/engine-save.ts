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
let held: Buffer = Buffer.alloc(0);
let bytes = 0;
for await (const block of member.snapshot({ recycle: true })) {
  const written = file.write(block, 0, block.length, bytes);
  // The last 32 bytes are the hash of those before: they are held back.
  const ready = Math.max(0, held.length + block.length - 32);
  const ofHeld = Math.min(ready, held.length);
  hash.update(held.subarray(0, ofHeld)).update(block.subarray(0, ready - ofHeld));
  held = Buffer.concat([held.subarray(ofHeld), block.subarray(ready - ofHeld)]);
  bytes += block.length;
  const { bytesWritten } = await written;
  if (bytesWritten !== block.length) throw new Error('the disk took only a part');
}
if (!hash.digest().equals(held)) throw new Error('the SHA-256 of the snapshot is wrong');
await file.sync();
await file.close();
console.log(JSON.stringify({ bytes }));
