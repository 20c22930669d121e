/**
 * One job of the engine on one file, with its rate:
 *
 *     node bench/src/engine-compact.ts compact|rewrite|hashkv|check FILE [TARGET]
 */
import { BoltFile, checkBoltFile, compactStore, hashKV, readStoreInfo } from '@etcd-ops/core';

const [job, path, target = ''] = process.argv.slice(2);
if (job === undefined || path === undefined) {
  throw new Error('usage: node bench/src/engine-compact.ts compact|rewrite|hashkv|hashkv2|check FILE [TARGET]');
}
const loadedMs = Math.round(performance.now());
const begin = performance.now();
const result = await run(job, path);
const ms = performance.now() - begin;
using file = BoltFile.open(path);
const mbPerSecond = Math.round(file.fileBytes / ms / 1000);
const rssMb = Math.round(process.resourceUsage().maxRSS / 1024);
console.log(JSON.stringify({ job, loadedMs, ms: Math.round(ms), mbPerSecond, rssMb, result }));

async function run(name: string, source: string): Promise<unknown> {
  if (name === 'compact') return await compactStore(source, target);
  if (name === 'rewrite') return await compactStore(source, target, { keepHistory: true });
  using opened = BoltFile.open(source);
  if (name === 'hashkv') return await hashKV(opened);
  // As a store compacted in its middle hashes: two passes.
  if (name === 'hashkv2') {
    return await hashKV(opened, { compactRevision: Math.floor(readStoreInfo(opened).revision * 0.9) });
  }
  return await checkBoltFile(opened);
}
