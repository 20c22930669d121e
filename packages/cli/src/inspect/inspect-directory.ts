import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import {
  EtcdOpsError,
  inspectMember,
  inspectWal,
  isEtcdOpsError,
  listWalSegments,
  type InspectedMember,
} from '@etcd-ops/core';
import { hex, type InspectContext, type Inspection } from './inspection.ts';
import { snapFacts, snapWarnings, storeFacts, storeWarnings, walFacts, walWarnings } from './store-facts.ts';

const SEGMENT = /^[0-9a-f]{16}-[0-9a-f]{16}\.wal$/;

/** A data directory, its `member`, or a directory of log segments. */
export async function inspectDirectory(
  path: string,
  context: InspectContext & { walDir?: string | undefined },
): Promise<Inspection> {
  const names = readdirSync(path);
  if (names.some((name) => SEGMENT.test(name))) return await inspectLog(path, context);
  const isMember = basename(resolve(path)) === 'member' && names.some((name) => name === 'snap' || name === 'wal');
  const dataDir = isMember ? dirname(resolve(path)) : path;
  return describe(await inspectMember({ ...context, dataDir }), dataDir);
}

async function inspectLog(path: string, { signal }: InspectContext): Promise<Inspection> {
  const base = { kind: 'wal', facts: {}, warnings: [], damages: [] };
  try {
    const wal = await inspectWal(listWalSegments(path), signal);
    return { ...base, facts: walFacts(wal), warnings: walWarnings(wal) };
  } catch (error) {
    if (!isEtcdOpsError(error) || error.exitCode !== 4) throw error;
    return { ...base, damages: [error] };
  }
}

function describe({ state, store, wal, snapshot, damages }: InspectedMember, dataDir: string): Inspection {
  refuse(state, dataDir);
  // What one part alone shows is told by that part; that parts do not fit together only by the whole.
  const judged =
    state.kind === 'broken' && !damages.some(({ message }) => state.reason.includes(message))
      ? [new EtcdOpsError('DATA_DIR_BROKEN', { message: `${dataDir}: ${state.reason}` })]
      : [];
  const identity =
    state.kind === 'healthy'
      ? {
          memberId: hex(state.facts.memberId),
          clusterId: hex(state.facts.clusterId),
          entriesAhead: state.facts.entriesAhead,
        }
      : {};
  return {
    kind: 'data directory',
    facts: {
      ...identity,
      ...(store === undefined ? {} : storeFacts(store)),
      ...(wal === undefined ? {} : { wal: walFacts(wal) }),
      ...(snapshot === undefined ? {} : { raftSnapshot: snapFacts(snapshot) }),
    },
    warnings: [
      ...new Set([
        // The torn end of the log is told by the log itself.
        ...(state.kind === 'healthy' ? state.warnings.filter((warning) => !warning.includes('etcd cuts it off')) : []),
        ...(store === undefined ? [] : storeWarnings(store)),
        ...(wal === undefined ? [] : walWarnings(wal)),
        ...(snapshot === undefined ? [] : snapWarnings(snapshot)),
      ]),
    ],
    damages: [...damages, ...judged],
  };
}

/** @throws EtcdOpsError for what cannot be inspected as a data directory. */
function refuse(state: InspectedMember['state'], dataDir: string): void {
  if (state.kind === 'missing') {
    throw new EtcdOpsError('STORE_NOT_FOUND', { message: `${dataDir} is empty`, remedy: 'Check the path.' });
  }
  if (state.kind === 'running') {
    const who = state.pid === undefined ? 'An etcd' : `The process ${state.pid}`;
    throw new EtcdOpsError('DATA_DIR_IN_USE', {
      message: `${who} has ${state.path} open: what is read of it now may be half written`,
      remedy: 'Stop that etcd first, or inspect a snapshot of it (`etcdctl snapshot save`).',
    });
  }
  if (state.kind === 'foreign') {
    const isRepository = statSync(join(dataDir, 'cluster.json'), { throwIfNoEntry: false })?.isFile() === true;
    throw new EtcdOpsError('DATA_DIR_FOREIGN', {
      message: `${dataDir} is no etcd data directory: ${state.reason}`,
      remedy: isRepository
        ? 'It is a repository: `etcd-ops list` and `etcd-ops info` show it.'
        : 'Name a data directory (it holds `member`), or one file.',
    });
  }
}
