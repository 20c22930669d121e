import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { EtcdOpsError, openZippedFile, type ImportItem, type ImportSource } from '@etcd-ops/core';

/** k3s ends the names of its snapshots with the second in which they were taken. */
const K3S_NAME = /-(\d{10})(?:\.zip)?$/;
/** What lies beside snapshots and is none: k3s keeps its records in `.metadata`. */
const NO_SNAPSHOT = /^\.|\.(?:json|ya?ml|txt|md|sha256|sha256sum|part|tmp)$/i;

/**
 * Files of `etcdctl snapshot save` and of k3s as fulls of one timeline, by the time in their names, else by that of the file.
 * @throws EtcdOpsError STORE_NOT_FOUND for a path that is not there.
 */
export async function listSnapshotFiles(paths: readonly string[]): Promise<ImportItem[]> {
  const found: ImportItem[] = [];
  for (const given of paths) {
    const path = resolve(given);
    const facts = await stat(path).catch((cause: unknown) => {
      throw new EtcdOpsError('STORE_NOT_FOUND', {
        message: `There is no file ${given}`,
        remedy: 'Name files of `etcdctl snapshot save` or of k3s, or a directory of them.',
        cause,
      });
    });
    if (!facts.isDirectory()) {
      found.push(await itemOf(path));
      continue;
    }
    for (const entry of await readdir(path, { withFileTypes: true })) {
      if (entry.isFile() && !NO_SNAPSHOT.test(entry.name)) found.push(await itemOf(join(path, entry.name)));
    }
  }
  return found.toSorted((left, right) => createdMs(left) - createdMs(right));
}

/** Reads files, and what is packed into zip archives. */
export const snapshotFileSource: ImportSource = {
  localPath: (path) => (path.endsWith('.zip') ? undefined : path),
  async *stream(path) {
    yield* path.endsWith('.zip') ? await openZippedFile(path) : createReadStream(path);
  },
};

async function itemOf(path: string): Promise<ImportItem> {
  const seconds = K3S_NAME.exec(path)?.[1];
  const createdAtMs = seconds === undefined ? Math.floor((await stat(path)).mtimeMs) : Number(seconds) * 1000;
  const codec = path.endsWith('.gz') ? 'gzip' : 'none';
  return { kind: 'full', key: path, timeline: 1, createdAtMs, codec, last: 0 };
}

function createdMs(item: ImportItem): number {
  return item.kind === 'full' ? item.createdAtMs : item.createdSeconds * 1000;
}
