import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import {
  adoptForRestore,
  LocalStore,
  type Adopted,
  type AdoptScope,
  type ForeignRepository,
  type ObjectStore,
  makeScratch,
} from '@etcd-ops/core';
import { ProgressLine, type ProgressMode } from '../output/progress-line.ts';

export interface AdoptedRepository extends Adopted, AsyncDisposable {
  /** Native, in scratch space; gone with the scope. */
  store: ObjectStore;
}

/** What a scope needs of a foreign repository as a native one in scratch space. */
export async function adoptRepository(
  source: ObjectStore,
  repository: ForeignRepository,
  options: { scope: AdoptScope; tempDir?: string | undefined; progress: ProgressMode; signal: AbortSignal },
): Promise<AdoptedRepository> {
  const { scope, tempDir, progress, signal } = options;
  const line = new ProgressLine(process.stderr, progress);
  const scratch = await makeScratch(resolve(tempDir ?? tmpdir()));
  try {
    const scratchDir = join(scratch.path, 'work');
    await mkdir(scratchDir);
    const store = new LocalStore(join(scratch.path, 'repository'));
    const adopted = await adoptForRestore({
      ...{ source, repository, scope, store, scratchDir, signal },
      cluster: repository.inventory.cluster,
      clusterId: 0n,
      packing: { codec: 'none' },
      onObject: (done, total) => line.update('translate', done, total),
    });
    return { ...adopted, store, [Symbol.asyncDispose]: async () => await scratch[Symbol.asyncDispose]() };
  } catch (error) {
    await scratch[Symbol.asyncDispose]();
    throw error;
  } finally {
    line.clear();
  }
}
