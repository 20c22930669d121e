import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import {
  adoptDelta,
  adoptFull,
  EtcdOpsError,
  LocalStore,
  noBackup,
  readInventory,
  restorableRanges,
  type ForeignObject,
  type ForeignRepository,
  type ObjectStore,
  makeScratch,
} from '@etcd-ops/core';
import { deltaFacts, fullFacts, type Facts, type InfoOptions } from '../restore/run-info.ts';

/** The repository of another tool in short, by names; or one object of it, which is read whole for that. */
export async function foreignFacts(
  store: ObjectStore,
  repository: ForeignRepository,
  named: string | undefined,
  { tempDir }: InfoOptions,
): Promise<Facts> {
  if (named === undefined) return repositoryFacts(store, repository);
  const object = repository.objects.find(({ key }) => key === named || key.endsWith(`/${named}`));
  if (object === undefined) {
    throw new EtcdOpsError('STORE_NOT_FOUND', {
      message: `${store.description} has no object ${named} of ${repository.inventory.cluster}`,
      remedy: '`etcd-ops list -o json` shows what there is.',
    });
  }
  return await objectFacts(store, object, tempDir);
}

function repositoryFacts(store: ObjectStore, { layout, objects, inventory }: ForeignRepository): Facts {
  const fulls = objects.filter(({ kind }) => kind === 'full');
  const deltas = objects.filter(({ kind }) => kind === 'delta');
  const last = restorableRanges(inventory).at(-1);
  if (last === undefined) throw noBackup(inventory);
  return {
    kind: 'repository',
    layout,
    cluster: inventory.cluster,
    store: store.description,
    timelines: inventory.timelines.length,
    fulls: fulls.length,
    fullBytes: sum(fulls),
    deltas: deltas.length,
    deltaBytes: sum(deltas),
    headRevision: last.to,
    newestTime: new Date(Math.max(...objects.map(({ createdSeconds }) => createdSeconds * 1000))).toISOString(),
    newestFull: fulls.at(-1)?.key,
    foreign: inventory.foreign.length,
  };
}

/** Translated in scratch space, so that all is said of it that is said of ours; under its own name. */
async function objectFacts(store: ObjectStore, object: ForeignObject, tempDir: string | undefined): Promise<Facts> {
  await using scratch = await makeScratch(resolve(tempDir ?? tmpdir()));
  const scratchDir = join(scratch.path, 'work');
  await mkdir(scratchDir);
  const native = new LocalStore(join(scratch.path, 'repository'));
  const target = {
    ...{ store: native, cluster: 'foreign', clusterId: 0n, packing: { codec: 'none' as const }, scratchDir },
  };
  if (object.kind === 'full') {
    const full = await adoptFull(store, { ...object, createdAtMs: object.createdSeconds * 1000 }, target);
    const {
      key: _,
      clusterId: _c,
      memberId: _m,
      cluster: _n,
      taskId: _t,
      ...facts
    } = fullFacts({
      ...{ key: full.key, timeline: object.timeline, revision: full.manifest.revision, manifest: full.manifest },
      ...{ createdAtMs: object.createdSeconds * 1000, bytes: object.bytes, modifiedAtMs: object.modifiedAtMs },
    });
    return { ...facts, key: object.key, storedBytes: object.bytes, codec: object.codec };
  }
  const adopted = await adoptDelta(store, object, target);
  const { timelines } = await readInventory(native, 'foreign');
  const entry = timelines[0]!.deltas.at(-1)!;
  const facts = await deltaFacts(native, entry, undefined);
  const { first: firstRevision, last: lastRevision, rows } = adopted;
  return {
    kind: 'delta',
    key: object.key,
    timeline: object.timeline,
    firstRevision,
    lastRevision,
    rows,
    lastObserved: facts['lastObserved'],
    storedBytes: object.bytes,
  };
}

function sum(objects: readonly { bytes: number }[]): number {
  return objects.reduce((total, { bytes }) => total + bytes, 0);
}
