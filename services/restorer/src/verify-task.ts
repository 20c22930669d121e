import { hostname } from 'node:os';
import type { ClusterSpec, TaskContext, TaskOutcome, VerifyTask } from '@etcd-ops/bus';
import {
  holdObjects,
  parseObjectKey,
  readInventory,
  verifyRepository,
  writeProof,
  type Identities,
  type ObjectStore,
  type ProofRecord,
  type VerifyReport,
} from '@etcd-ops/core';
import type { Clock, Logger } from '@etcd-ops/service-kit';
import type { ProofMetrics } from './proof-metrics.ts';

export interface VerifyTaskOptions {
  spec: ClusterSpec;
  store: ObjectStore;
  /** For what is rebuilt; emptied again. */
  scratchDir: string;
  /** What opens encrypted backups: without it they are checked as far as that goes. */
  identities?: Identities | undefined;
  logger: Logger;
  metrics: ProofMetrics;
  clock: Clock;
  context: Pick<TaskContext, 'signal' | 'progress'>;
}

/** Findings that a line of the history names; the log has all. */
const FINDINGS_MAX = 20;

/**
 * Verifies a repository, and writes each chain proof into it. What is wrong is told loudly and is no failure of the task: doing it again
 * would find the same.
 */
export async function runVerifyTask(task: VerifyTask, options: VerifyTaskOptions): Promise<TaskOutcome> {
  const { spec, store, scratchDir, identities, logger, metrics, clock, context } = options;
  const { signal, progress } = context;
  const cluster = spec.name;
  // Before it is listed: what is read must not be removed under our hands.
  await using _hold = task.depth === 'quick' ? undefined : await holdObjects(store, { cluster, purpose: 'verify' });
  const report = await verifyRepository({
    ...{ store, depth: task.depth, scope: task.scope, scratchDir, identities, signal },
    inventory: await readInventory(store, cluster, { signal }),
    scratchBytesMax: spec.proof.scratchBytesMax,
    worker: `${hostname()}-${process.pid}`,
    onProgress: (phase, bytesDone, bytesTotal) => progress({ phase, bytesDone, bytesTotal }),
    onFinding: ({ kind, what, why, remedy }) => {
      if (kind === 'note') logger.debug({ cluster, what, why }, 'Noted about the backups');
      else logger.error({ cluster, kind, what, why, remedy }, 'VERIFY: something is wrong with the backups');
    },
    onProof: async (record) => {
      const full = parseObjectKey(record.full);
      if (full?.kind === 'full') await writeProof(store, record, full, { signal });
      metrics.noteProof(record);
      logger[record.verdict === 'failed' ? 'error' : 'info'](
        { cluster, full: record.full, to: record.to, verdict: record.verdict, problem: record.problem },
        'A chain was rebuilt and held against what the cluster said',
      );
    },
  });
  metrics.noteReport(report, clock.now());
  return { summary: summaryOf(report) };
}

function summaryOf(report: VerifyReport): Record<string, unknown> {
  const { depth, verdict, fulls, deltas, bytesRead, durationMs, proofs, findings } = report;
  const told = findings.filter(({ kind }) => kind !== 'note');
  return {
    ...{ depth, verdict, fulls, deltas, bytesRead, durationMs },
    proofs: proofs.slice(-FINDINGS_MAX).map(summaryOfProof),
    findings: told.slice(0, FINDINGS_MAX).map(({ kind, what, why }) => ({ kind, what, why })),
    ...(told.length > FINDINGS_MAX ? { moreFindings: told.length - FINDINGS_MAX } : {}),
  };
}

function summaryOfProof({ full, to, provenTo, verdict, restoreMs, problem, comparisons = [] }: ProofRecord): unknown {
  const equal = comparisons.filter(({ outcome }) => outcome === 'equal').length;
  const reached = provenTo === undefined ? {} : { provenTo };
  return { full, to, ...reached, verdict, equal, restoreMs, ...(problem === undefined ? {} : { problem }) };
}
