import { resolve } from 'node:path';
import {
  EtcdOpsError,
  inspectStore,
  planRestore,
  planRestoreFrom,
  planSafeBump,
  restore,
  restoreAround,
  type RestoreAroundReport,
  type RestoreOptions as CoreRestoreOptions,
  type RestorePlan,
  type RestoreTarget,
  type SafeBump,
} from '@etcd-ops/core';
import { adoptRepository } from '../layouts/adopted-repository.ts';
import { readLayout, type ReadLayout } from '../layouts/read-layout.ts';
import type { AdoptingOptions } from '../options/layout-options.ts';
import type { MomentOptions } from '../options/moment-options.ts';
import { identitiesOf, type IdentityOptions } from '../options/packing-options.ts';
import type { RepositoryOptions } from '../options/repository-options.ts';
import { findBeforeDelete, type BeforeDelete } from './before-delete.ts';
import { planSnapshotFile } from './snapshot-file.ts';
import type { ProgressMode } from '../output/progress-line.ts';

export interface SourceOptions extends RepositoryOptions, AdoptingOptions, IdentityOptions, MomentOptions {
  fromFile?: string;
  skipHashCheck: boolean;
  safeBump: boolean;
  plan?: boolean;
  progress: ProgressMode;
}

/** What the repository, or one file, gives: planned, and ready to be restored. */
export interface RestoreSource extends AsyncDisposable {
  plan: RestorePlan;
  beforeDelete: BeforeDelete | undefined;
  /** As it would be chosen now. */
  safeBump: SafeBump | undefined;
  run(options: Omit<CoreRestoreOptions, 'store' | 'plan'>): Promise<RestoreAroundReport>;
}

export async function planSource(options: SourceOptions, signal: AbortSignal): Promise<RestoreSource> {
  return options.fromFile === undefined
    ? await fromRepository(options, signal)
    : await fromFile(options.fromFile, options, signal);
}

async function fromRepository(options: SourceOptions, signal: AbortSignal): Promise<RestoreSource> {
  const read = await readLayout(options, signal);
  if (read.foreign !== undefined) return await fromForeign({ ...read, foreign: read.foreign }, options, signal);
  const { store, inventory } = read;
  const identities = await identitiesOf(options);
  const beforeDelete = await findBeforeDelete(store, inventory, options, { identities, signal });
  const { allowOlder } = options;
  const target = targetOf(options, beforeDelete);
  const plan = await planRestoreFrom(store, inventory, target, { identities, signal, allowOlder });
  const { revision } = plan;
  return {
    plan,
    beforeDelete,
    safeBump: options.safeBump ? planSafeBump(inventory, { revision, nowMs: Date.now() }) : undefined,
    run: (rest) =>
      restoreAround({
        ...rest,
        store,
        inventory,
        identities,
        safeBump: options.safeBump,
        // What a time means was found above, by looking into a delta; from here on it is a revision.
        restoreTo:
          options.snapshot === undefined
            ? { kind: 'revision', revision, timeline: plan.timeline }
            : targetOf(options, undefined),
      }),
    [Symbol.asyncDispose]: nothing,
  };
}

/**
 * A repository of another tool: what the restore needs of it is translated first, so that revisions, times and deletions inside of its
 * deltas can be chosen as in ours. A mere plan is made from the names, as far as they tell.
 */
async function fromForeign(
  { store: source, inventory: named, foreign }: ReadLayout & Required<Pick<ReadLayout, 'foreign'>>,
  options: SourceOptions,
  signal: AbortSignal,
): Promise<RestoreSource> {
  const { allowOlder } = options;
  const isDeletion = options.beforeDelete !== undefined || options.beforeDeletePrefix !== undefined;
  if (options.plan === true && !isDeletion && !options.safeBump) {
    const plan = planRestore(named, targetOf(options, undefined), { allowOlder });
    const warning = 'By names alone: nothing was read yet.';
    return {
      ...{ plan: { ...plan, warnings: [...plan.warnings, warning] }, beforeDelete: undefined, safeBump: undefined },
      run: () => Promise.reject(new Error('a plan is only shown')),
      [Symbol.asyncDispose]: nothing,
    };
  }
  // What was captured is told by all names, not only by what is translated.
  const isNewest = !isDeletion && targetOf(options, undefined).kind === 'latest';
  const warned = isNewest ? planRestore(named, targetOf(options, undefined), { allowOlder }).warnings : [];
  const { timeline, tempDir, progress } = options;
  const scope = isDeletion ? { kind: 'timeline' as const, timeline } : targetOf(options, undefined);
  const adopted = await adoptRepository(source, foreign, { scope, tempDir, progress, signal });
  try {
    const { store, inventory, damaged } = adopted;
    const beforeDelete = await findBeforeDelete(store, inventory, options, { signal });
    const wanted = beforeDelete === undefined ? adopted.target : targetOf(options, beforeDelete);
    const found = await planRestoreFrom(store, inventory, wanted, { signal });
    const around = damaged.map(({ key, problem }) => `${key} is damaged and was not used: ${problem}`);
    const plan = { ...found, warnings: [...new Set([...warned, ...around, ...found.warnings])] };
    const { revision } = plan;
    // How far the cluster went is told by all names, not only by what was translated.
    const safeBump = options.safeBump ? planSafeBump(named, { revision, nowMs: Date.now() }) : undefined;
    return {
      ...{ plan, beforeDelete, safeBump },
      run: async (rest) => {
        const bump = safeBump === undefined ? {} : { bumpRevision: safeBump.by };
        const report = await restore({ ...rest, ...bump, store, plan });
        const full = { ...report.full, key: adopted.foreignKeyOf(report.full.key) };
        return { ...report, full, ...(safeBump === undefined ? {} : { safeBump }), plan, damaged };
      },
      [Symbol.asyncDispose]: async () => await adopted[Symbol.asyncDispose](),
    };
  } catch (error) {
    await adopted[Symbol.asyncDispose]();
    throw error;
  }
}

async function nothing(): Promise<void> {}

async function fromFile(path: string, options: SourceOptions, signal: AbortSignal): Promise<RestoreSource> {
  if (options.time !== undefined || options.snapshot !== undefined || options.timeline !== undefined) {
    throw new EtcdOpsError('USAGE', {
      message: 'A file has neither times nor timelines nor other snapshots in it',
      remedy:
        'With --from-file, --revision and --before-delete choose a moment; leave --time, --snapshot and --timeline away.',
    });
  }
  if (options.safeBump) {
    throw new EtcdOpsError('USAGE', {
      message: 'A file does not tell how far its cluster has gone on, so no bump can be called safe',
      remedy: 'Name one that is large enough: --bump-revision 1000000000 --mark-compacted.',
    });
  }
  // No hash vouches for the bytes then: every page, row and lease is looked at, as `inspect` does.
  if (options.skipHashCheck) await inspectStore(resolve(path), { checkHash: false, signal });
  const beforeDelete = await beforeDeleteInFile(path, options, signal);
  const { store, plan, target } = planSnapshotFile(path, {
    revision: beforeDelete?.revision ?? options.revision,
    skipHashCheck: options.skipHashCheck,
  });
  return {
    plan,
    beforeDelete,
    safeBump: undefined,
    run: async (rest) => {
      const report = await restore({ ...rest, store, plan, target: rest.target ?? target, verify: false });
      return { ...report, plan, damaged: [] };
    },
    [Symbol.asyncDispose]: nothing,
  };
}

/** A repository of one full. */
async function beforeDeleteInFile(
  path: string,
  options: SourceOptions,
  signal: AbortSignal,
): Promise<BeforeDelete | undefined> {
  if (options.beforeDelete === undefined && options.beforeDeletePrefix === undefined) return undefined;
  const { store, plan } = planSnapshotFile(path, { skipHashCheck: options.skipHashCheck });
  const timelines = [{ timeline: plan.timeline, fulls: [plan.full], deltas: [] }];
  const inventory = { cluster: plan.cluster, timelines, foreign: [], incomplete: [], damaged: [] };
  return await findBeforeDelete(store, inventory, options, { signal });
}

function targetOf(options: SourceOptions, beforeDelete: BeforeDelete | undefined): RestoreTarget {
  if (beforeDelete !== undefined) {
    return { kind: 'revision', revision: beforeDelete.revision, timeline: beforeDelete.timeline };
  }
  const timeline = options.timeline === undefined ? {} : { timeline: options.timeline };
  if (options.snapshot !== undefined) return { kind: 'snapshot', key: options.snapshot };
  if (options.revision !== undefined) return { kind: 'revision', revision: options.revision, ...timeline };
  if (options.time !== undefined) return { kind: 'time', timeMs: options.time, ...timeline };
  return { kind: 'latest', ...timeline };
}
