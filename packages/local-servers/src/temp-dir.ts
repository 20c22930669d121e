import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TempDir extends AsyncDisposable {
  readonly path: string;
  /** A path inside the directory. */
  file(...names: string[]): string;
  remove(): Promise<void>;
}

/** A fresh directory that goes away with its scope: `await using dir = tempDir();`. */
export function tempDir(prefix = 'etcd-ops-test-'): TempDir {
  const path = mkdtempSync(join(tmpdir(), prefix));
  const remove = () => rm(path, { recursive: true, force: true, maxRetries: 3 });
  return { path, file: (...names) => join(path, ...names), remove, [Symbol.asyncDispose]: remove };
}
