import { readdir, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Takes the last bytes off the newest block file of the streams of a nats-server that does not run: what a machine without power may
 * have lost of what was acknowledged and not synced yet. Answers how many streams lost something.
 */
export async function cutTail(storeDir: string, bytes: number, which: 'events' | 'all'): Promise<number> {
  const streams = join(storeDir, 'jetstream', '$G', 'streams');
  let cut = 0;
  for (const name of await readdir(streams)) {
    const isEvents = name.startsWith('ETCDOPS_EVENTS_');
    // The specs of the clusters are an operator's: they were written and synced long ago.
    if (name === 'KV_etcdops_clusters' || (which === 'events' && !isEvents)) continue;
    const messages = join(streams, name, 'msgs');
    const blocks = (await readdir(messages).catch(() => []))
      .filter((file) => file.endsWith('.blk'))
      .toSorted((left, right) => Number.parseInt(left) - Number.parseInt(right));
    const newest = blocks.at(-1);
    if (newest === undefined) continue;
    const path = join(messages, newest);
    const { size } = await stat(path);
    if (size === 0) continue;
    await truncate(path, Math.max(0, size - (isEvents ? bytes : Math.min(bytes, 600))));
    cut++;
  }
  return cut;
}
