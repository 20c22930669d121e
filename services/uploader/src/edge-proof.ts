import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import {
  describeError,
  proveStoredEdge,
  type BoltFile,
  type FullManifest,
  type ObjectStore,
  type ProofRecord,
} from '@etcd-ops/core';
import type { TaskContext } from '@etcd-ops/bus';
import type { Clock, Logger } from '@etcd-ops/service-kit';
import type { UploaderMetrics } from './metrics.ts';
import type { Spool } from './spool.ts';

export interface StoredFull {
  key: string;
  manifest: FullManifest;
  /** Opened before the full was stored: its name may be gone by now. */
  file: BoltFile;
}

export interface EdgeProofOptions {
  store: ObjectStore;
  spool: Spool;
  logger: Logger;
  metrics: UploaderMetrics;
  clock: Clock;
  context: Pick<TaskContext, 'signal' | 'progress'>;
}

/** For the history, and for the scheduler, which asks for another full when an edge failed. */
export interface EdgeSummary {
  verdict: ProofRecord['verdict'];
  from: number;
  to: number;
  rows: number;
  problem?: string;
}

/**
 * Compares a full that is stored with the deltas before it. The full is durable by then, and stays, whatever comes of this: a failed edge
 * is recorded in the repository, where plans and the next edges heed it. What could not be proved now is compared with the next full.
 */
export async function proveEdgeOfFull(
  { key, manifest, file }: StoredFull,
  { store, spool, logger, metrics, clock, context: { signal, progress } }: EdgeProofOptions,
): Promise<EdgeSummary | undefined> {
  const { cluster, timeline, revision, storedBytes: bytes } = manifest;
  const createdAtMs = Date.parse(manifest.createdAt);
  const full = { key, timeline, revision, createdAtMs, bytes, modifiedAtMs: createdAtMs, manifest };
  progress({ phase: 'prove', bytesDone: 0 });
  const worker = `${hostname()}-${process.pid}`;
  const ownDir = join(spool.directory, `edge-${randomUUID()}`);
  try {
    await mkdir(ownDir, { mode: 0o700 });
    const record = await proveStoredEdge({
      store,
      full,
      file,
      spoolDir: ownDir,
      worker,
      now: () => clock.now(),
      signal,
    });
    if (record.to < record.from) return undefined;
    const { verdict, from, to, rows, rowBytes, durationMs, problem } = record;
    metrics.edges.add({ cluster, verdict });
    const facts = { cluster, full: full.key, from, to, rows, rowBytes, durationMs };
    if (verdict === 'failed') {
      logger.error(
        { ...facts, problem, difference: record.difference },
        'EDGE PROOF FAILED: this full and the deltas before it do not hold the same rows; see "A proof failed" in the operations guide',
      );
    } else if (verdict === 'open') logger.warn({ ...facts, problem }, 'The edge of this full could not be proved');
    else logger.info(facts, 'The edge of this full is proved');
    if (record.leasesDiffering !== undefined) {
      logger.warn(
        { cluster, leases: record.leasesDiffering },
        'Leases have another TTL in this full than in the deltas',
      );
    }
    return { verdict, from, to, rows, ...(problem === undefined ? {} : { problem }) };
  } catch (error) {
    // The full is stored: taking it again would prove nothing more.
    logger.warn({ cluster, full: full.key, reason: describeError(error) }, 'The edge of this full was not proved');
    return undefined;
  } finally {
    await rm(ownDir, { recursive: true, force: true });
  }
}
