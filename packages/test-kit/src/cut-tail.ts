import { readdir, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Takes the last bytes off the newest block file of the chosen streams of a nats-server that does not run: what a machine without
 * power may have lost of what was acknowledged and not synced yet. Answers how many streams lost something.
 */
export async function cutTail(
  storeDir: string,
  bytes: number,
  isChosen: (stream: string) => boolean = () => true,
  account = '$G',
): Promise<number> {
  const streams = join(storeDir, 'jetstream', account, 'streams');
  let cut = 0;
  for (const name of (await readdir(streams)).filter(isChosen)) {
    const newest = await newestBlock(join(streams, name, 'msgs'));
    if (newest === undefined) continue;
    const { size } = await stat(newest);
    if (size === 0) continue;
    await truncate(newest, Math.max(0, size - bytes));
    cut++;
  }
  return cut;
}

async function newestBlock(directory: string): Promise<string | undefined> {
  const names = (await readdir(directory).catch(() => [])).filter((name) => name.endsWith('.blk'));
  const newest = names.toSorted((left, right) => Number.parseInt(left, 10) - Number.parseInt(right, 10)).at(-1);
  return newest === undefined ? undefined : join(directory, newest);
}
