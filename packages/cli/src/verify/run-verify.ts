import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import {
  EtcdOpsError,
  holdObjects,
  parseObjectKey,
  readInventory,
  verifyRepository,
  writeProof,
  type AdoptScope,
  type Finding,
  type ObjectStore,
  type ProofRecord,
  type RestoreTarget,
  type VerifyDepth,
  type VerifyReport,
  type VerifyScope,
  makeScratch,
} from '@etcd-ops/core';
import { adoptRepository, type AdoptedRepository } from '../layouts/adopted-repository.ts';
import { readLayout, type ReadLayout } from '../layouts/read-layout.ts';
import type { LayoutOptions } from '../options/layout-options.ts';
import type { EtcdOptions } from '../options/etcd-options.ts';
import { identitiesOf, type IdentityOptions } from '../options/packing-options.ts';
import type { RepositoryOptions } from '../options/repository-options.ts';
import { cancelOnSignal } from '../output/cancel-on-signal.ts';
import { emitJson, emitText } from '../output/emit.ts';
import { ProgressLine, type ProgressMode } from '../output/progress-line.ts';
import { formatNumberOf } from '../output/table.ts';
import { hashOfCluster } from './cluster-hash.ts';
import { renderReport, reportDocument } from './render-report.ts';

export interface VerifyOptions extends RepositoryOptions, LayoutOptions, EtcdOptions, IdentityOptions {
  quick: boolean;
  prove: boolean;
  snapshot?: string;
  revision?: number;
  newest: boolean;
  timeline?: number;
  againstCluster: boolean;
  record: boolean;
  witnesses: number;
  tempDir?: string;
  output: 'table' | 'json';
  progress: ProgressMode;
}

/**
 * Prints the report.
 * @throws EtcdOpsError of `verifyRepository`, of the store and of the cluster; OBJECT_DAMAGED, PROOF_FAILED or REVISION_NOT_RESTORABLE
 *   when the verdict is not that all is sound.
 */
export async function runVerify(options: VerifyOptions): Promise<void> {
  const depth = depthOf(options);
  using cancel = cancelOnSignal();
  const { signal } = cancel;
  const read = await readLayout(options, signal);
  const identities = await identitiesOf(options);
  await using adopted = await adoptedFor(read, options, signal);
  const { store } = adopted ?? read;
  // Where the store can only be read, the grace of retention must do. Other tools know no holds.
  const isHeld = depth !== 'quick' && read.foreign === undefined;
  await using _hold = isHeld
    ? await holdObjects(store, { cluster: options.clusterName, purpose: 'verify' })
    : undefined;
  // What was listed before the hold may have gone.
  const { inventory } = isHeld
    ? { inventory: await readInventory(store, options.clusterName, { signal }) }
    : (adopted ?? read);
  const clusterHashes = options.againstCluster ? [await hashOfCluster(options, inventory, signal)] : [];
  await using scratch = await makeScratch(resolve(options.tempDir ?? tmpdir()));
  const line = new ProgressLine(process.stderr, options.progress);
  try {
    const report = await verifyRepository({
      ...{ store, inventory, depth, scope: scopeOf(options, adopted?.target), clusterHashes, identities, signal },
      scratchDir: scratch.path,
      witnessesMax: options.witnesses,
      onProgress: (phase, done, total) => line.update(phase, done, total),
      onProof: async (record) => {
        if (options.record) await keep(store, record, signal);
      },
    });
    line.clear();
    emit(withDamage(report, adopted?.damaged ?? []), options);
  } finally {
    line.clear();
  }
}

function depthOf({ quick, prove, againstCluster, record }: VerifyOptions): VerifyDepth {
  if (prove) return 'prove';
  if (againstCluster || record) {
    throw new EtcdOpsError('USAGE', {
      message: `--${againstCluster ? 'against-cluster' : 'record'} is about what --prove finds: give both`,
    });
  }
  return quick ? 'quick' : 'read';
}

/** Backups of another tool are translated before they are verified: `--quick` needs nothing but their names. */
async function adoptedFor(
  { store, foreign }: ReadLayout,
  options: VerifyOptions,
  signal: AbortSignal,
): Promise<AdoptedRepository | undefined> {
  if (foreign === undefined || options.quick) return undefined;
  if (options.record) {
    throw new EtcdOpsError('USAGE', {
      message: 'What is proved of backups in the form of another tool cannot be recorded beside them',
      remedy: 'Leave --record away, or `import` the backups first.',
    });
  }
  const { snapshot, revision, newest, timeline, tempDir, progress } = options;
  const scope: AdoptScope =
    snapshot !== undefined
      ? { kind: 'snapshot', key: snapshot }
      : revision !== undefined
        ? { kind: 'revision', revision, ...(timeline === undefined ? {} : { timeline }) }
        : { kind: newest ? 'latest' : 'timeline', ...(timeline === undefined ? {} : { timeline }) };
  return await adoptRepository(store, foreign, { scope, tempDir, progress, signal });
}

/** Objects that could not even be translated. */
function withDamage(report: VerifyReport, damaged: readonly { key: string; problem: string }[]): VerifyReport {
  if (damaged.length === 0) return report;
  const findings = damaged.map(({ key, problem }): Finding => {
    const remedy = 'Restores go round it where another chain allows; take a full, so that a new chain begins.';
    return { kind: 'damaged', what: key, why: problem, remedy };
  });
  return { ...report, verdict: 'damaged', findings: [...findings, ...report.findings] };
}

function scopeOf(options: VerifyOptions, adopted: RestoreTarget | undefined): VerifyScope {
  const { snapshot, revision, newest, timeline } = options;
  if (snapshot !== undefined) return { kind: 'snapshot', key: adopted?.kind === 'snapshot' ? adopted.key : snapshot };
  if (revision !== undefined) return { kind: 'revision', revision, timeline };
  return newest ? { kind: 'newest' } : { kind: 'all', timeline };
}

async function keep(store: ObjectStore, record: ProofRecord, signal: AbortSignal): Promise<void> {
  const full = parseObjectKey(record.full);
  if (full?.kind === 'full') await writeProof(store, record, full, { signal });
}

/** What the process says at the end: its exit code is that of the code. */
const FAILURES = {
  partial: { code: 'REVISION_NOT_RESTORABLE', what: 'is sound, but not all of it can be restored, or read here' },
  failed: { code: 'PROOF_FAILED', what: 'holds things that must be equal and are not' },
  damaged: { code: 'OBJECT_DAMAGED', what: 'holds damaged objects' },
} as const;

function emit(report: VerifyReport, { output }: VerifyOptions): void {
  const { verdict, findings, cluster } = report;
  if (output === 'json') emitJson(reportDocument(report));
  else emitText(renderReport(report));
  if (verdict === 'sound') return;
  const { code, what } = FAILURES[verdict];
  const count = findings.filter(({ kind }) => kind !== 'note').length;
  throw new EtcdOpsError(code, {
    message: `The repository of ${cluster} ${what}: ${formatNumberOf(count, 'finding')}`,
    remedy: 'Each finding above says what to do.',
  });
}
