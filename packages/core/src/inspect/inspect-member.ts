import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isEtcdOpsError, type EtcdOpsError } from '../base/errors.ts';
import { inspectDataDir, type DataDirState } from '../ensure/inspect-data-dir.ts';
import { listSnapFiles } from '../ensure/snap-files.ts';
import { listWalSegments } from '../ensure/wal-segments.ts';
import { inspectRaftSnapshot, inspectWal, type InspectedRaftSnapshot, type InspectedWal } from './inspect-raft.ts';
import { inspectStore, type InspectedStore, type InspectStoreOptions } from './inspect-store.ts';

/** A data directory, part by part. A part that could not be read is left out, and the reason is among the damages. */
export interface InspectedMember {
  state: DataDirState;
  store?: InspectedStore;
  wal?: InspectedWal;
  /** The newest that is usable. */
  snapshot?: InspectedRaftSnapshot;
  damages: EtcdOpsError[];
}

export interface InspectMemberOptions extends InspectStoreOptions {
  dataDir: string;
  walDir?: string | undefined;
}

/** Judges a data directory as etcd will at its start, and reads all of its parts. Nothing is read of one that an etcd has open. */
export async function inspectMember(options: InspectMemberOptions): Promise<InspectedMember> {
  const { signal, onProgress } = options;
  const dataDir = resolve(options.dataDir);
  // Every page is read below, once.
  const state = await inspectDataDir({ dataDir, walDir: options.walDir, checkPages: false, signal });
  const inspected: InspectedMember = { state, damages: [] };
  if (state.kind !== 'healthy' && state.kind !== 'broken') return inspected;
  const snapDir = join(dataDir, 'member', 'snap');
  const walDir = options.walDir === undefined ? join(dataDir, 'member', 'wal') : resolve(options.walDir);
  const part = async <Part>(path: string, read: () => Promise<Part> | Part): Promise<Part | undefined> => {
    if (!existsSync(path)) return undefined;
    try {
      return await read();
    } catch (error) {
      if (!isEtcdOpsError(error) || error.exitCode !== 4) throw error;
      inspected.damages.push(error);
      return undefined;
    }
  };
  const database = join(snapDir, 'db');
  const store = await part(database, () => inspectStore(database, { signal, onProgress }));
  const wal = await part(walDir, async () => {
    const segments = listWalSegments(walDir);
    return segments.length === 0 ? undefined : await inspectWal(segments, signal);
  });
  const snapshot = await part(snapDir, () => {
    const newest = listSnapFiles(snapDir).usable[0];
    return newest === undefined ? undefined : inspectRaftSnapshot(newest.path);
  });
  return {
    ...inspected,
    ...(store === undefined ? {} : { store }),
    ...(wal === undefined ? {} : { wal }),
    ...(snapshot === undefined ? {} : { snapshot }),
  };
}
