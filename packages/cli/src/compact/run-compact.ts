import { tmpdir } from 'node:os';
import {
  EtcdOpsError,
  readInventory,
  type FullManifest,
  type Packing,
  type RestorePlan,
  openStore,
  makeScratch,
} from '@etcd-ops/core';
import { stateDirectory } from '../daemon/state-directory.ts';
import { identitiesOf, packingOf, type IdentityOptions, type PackingOptions } from '../options/packing-options.ts';
import type { RepositoryOptions } from '../options/repository-options.ts';
import { cancelOnSignal } from '../output/cancel-on-signal.ts';
import { emitJson, emitText } from '../output/emit.ts';
import { ProgressLine, type ProgressMode } from '../output/progress-line.ts';
import { formatBytes, formatCount, formatDuration, formatNumberOf, renderTable } from '../output/table.ts';
import { storeSpec } from '../restore/store-spec.ts';
import { buildCompacted } from './build-compacted.ts';
import { planCompaction, type HistoryOptions } from './compact-plan.ts';
import { refuseDoubts } from './refuse-doubts.ts';
import { storeFull } from './store-full.ts';

export interface CompactOptions extends RepositoryOptions, PackingOptions, IdentityOptions, HistoryOptions {
  tempDir?: string;
  output: 'table' | 'json';
  progress?: ProgressMode;
}

interface Compacted {
  key: string;
  manifest: FullManifest;
  base: string;
  deltas: number;
  rowsKept: number;
  rowsDropped: number;
  bytesBefore: number;
  durationMs: number;
}

/**
 * Joins the newest full and its deltas into one more full: restored in scratch space, compacted at its head, written without free pages,
 * proved, stored. Nothing is removed, and no directory that was there before is touched.
 * @throws EtcdOpsError NO_BACKUP; NOTHING_TO_DO when the newest full is the head and compacted there already; REVISION_NOT_RESTORABLE,
 *   TIME_NOT_RESTORABLE and USAGE about where to compact; PROOF_FAILED when what it would be made of is in doubt.
 */
export async function runCompact(options: CompactOptions): Promise<void> {
  const begin = performance.now();
  using cancel = cancelOnSignal();
  const { signal } = cancel;
  const store = await openStore(storeSpec(options));
  const all = await readInventory(store, options.clusterName, { signal });
  const packing = await packingOf(options);
  const identities = await identitiesOf(options);
  const context = { store, inventory: all, identities, nowMs: Date.now(), signal };
  const { inventory, plan, compactAt } = await planCompaction(options, context);
  requireWork(plan, compactAt);
  refuseDoubts(plan, inventory);
  refusePlainCopy(plan, packing);
  await using directory = await makeScratch(scratchRoot(options));
  const scratch = directory.path;
  const progress = new ProgressLine(process.stderr, options.progress);
  try {
    const onProgress = (phase: string, done: number, total: number): void => progress.update(phase, done, total);
    const built = await buildCompacted({ store, inventory, plan, compactAt, identities, scratch, signal, onProgress });
    const stored = await storeFull({ store, built, packing, scratch, signal, onProgress });
    progress.clear();
    const { plan: used, report } = built;
    emit(
      {
        ...stored,
        base: used.full.key,
        deltas: used.deltas.length,
        rowsKept: report.rowsKept,
        rowsDropped: report.rowsDropped,
        bytesBefore: report.sourceBytes,
        durationMs: Math.round(performance.now() - begin),
      },
      options.output,
    );
  } finally {
    progress.clear();
  }
}

/** What was encrypted does not come to lie beside itself in clear because a flag was forgotten. */
function refusePlainCopy({ full, deltas, cluster }: RestorePlan, { recipients }: Packing): void {
  const encrypted = full.manifest.encryption !== undefined || deltas.some(({ encryption }) => encryption !== undefined);
  if (!encrypted || recipients !== undefined) return;
  const to = full.manifest.encryption?.recipients.join(' and ') ?? 'recipients named in its deltas';
  throw new EtcdOpsError('USAGE', {
    message: `The newest backup of ${cluster} is encrypted to ${to}, and the new full would be stored in clear`,
    remedy: 'Name the recipients, as for backing up: --encryption-recipients or --encryption-recipients-file.',
  });
}

/** Compacting again what is compacted there would give the same rows. */
function requireWork({ full, deltas, revision, cluster }: RestorePlan, compactAt: number): void {
  if (deltas.length > 0 || full.revision !== revision || full.manifest.compactRevision < compactAt) return;
  throw new EtcdOpsError('NOTHING_TO_DO', {
    message: `The newest full of ${cluster} is at revision ${revision}, its head, and compacted at ${compactAt} already: ${full.key}`,
  });
}

/** Beside the repositories, so that the new full moves into its place without being copied. */
function scratchRoot(options: CompactOptions): string {
  const local = options.storageProvider.toLowerCase() === 'local';
  return options.tempDir ?? (local ? stateDirectory(options) : tmpdir());
}

function emit(compacted: Compacted, output: 'table' | 'json'): void {
  const { key, manifest, base, deltas, rowsKept, rowsDropped, bytesBefore, durationMs } = compacted;
  const { revision, compactRevision, timeline, storedBytes, plainBytes } = manifest;
  if (output === 'json') {
    const facts = { key, timeline, revision, compactRevision, storedBytes, plainBytes };
    return emitJson({ ...facts, base, deltas, rowsKept, rowsDropped, bytesBefore, durationMs });
  }
  const rows = [
    ['full', key],
    ['revision', `${formatCount(revision)} of timeline ${timeline}, compacted at ${formatCount(compactRevision)}`],
    ['made of', `${base} and ${formatNumberOf(deltas, 'delta')}`],
    ['rows', `${formatCount(rowsKept)} kept, ${formatCount(rowsDropped)} of older revisions left away`],
    ['database', `${formatBytes(bytesBefore)} before, ${formatBytes(plainBytes)} now`],
    ['stored', formatBytes(storedBytes)],
    ['time', formatDuration(durationMs)],
  ];
  emitText(renderTable(['what', 'compacted'], rows));
}
