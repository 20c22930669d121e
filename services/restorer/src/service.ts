import { join } from 'node:path';
import { serveApi, storeOf, type ClusterSpec } from '@etcd-ops/bus';
import { EtcdOpsError, Identities, makeScratch, readRecipients } from '@etcd-ops/core';
import {
  createTaskService,
  etcdOpsVersion,
  joinServices,
  type Service,
  type ServiceContext,
} from '@etcd-ops/service-kit';
import { createApi } from './api.ts';
import { FailedMerges } from './failed-merges.ts';
import { runMergeTask } from './merge-task.ts';
import { ProgressMemory } from './progress-memory.ts';
import { createProofMetrics, type ProofMetrics } from './proof-metrics.ts';
import { runRestoreTask } from './restore-task.ts';
import type { RestorerSettings } from './settings.ts';
import { assertStillExpected } from './start-deadline.ts';
import { runVerifyTask } from './verify-task.ts';

/** Answers the operator's requests over NATS, restores into directories below its roots, verifies repositories and merges deltas. */
export function createRestorerService(context: ServiceContext, settings: RestorerSettings): Service {
  const metrics = createProofMetrics(context.metrics);
  // Loops of their own, so that a restore never waits for a proof.
  const loops = joinServices('restorer', [
    createRestoreLoop(context, settings),
    createVerifyLoop(context, settings, metrics),
    createMergeLoop(context, settings, metrics),
  ]);
  return {
    name: 'restorer',
    async run(signal) {
      using memory = new ProgressMemory(context.ops);
      await using _api = await serveApi(context.ops, {
        version: etcdOpsVersion(),
        description: 'Restores, snapshots and facts of the clusters under care',
        endpoints: createApi(context, settings, memory, () => identitiesOf(settings)),
        onError: (endpoint, error) => context.logger.warn({ endpoint, error }, 'A request failed'),
      });
      await loops.run(signal);
    },
    health: () => loops.health(),
  };
}

function createRestoreLoop(context: ServiceContext, settings: RestorerSettings): Service {
  const servingSinceMs = context.clock.now();
  return createTaskService({
    name: 'restorer-tasks',
    context,
    bus: context.ops,
    kind: 'restore',
    pool: settings.restorePool,
    concurrencyMax: settings.restoreConcurrencyMax,
    attemptsMax: settings.restoreAttemptsMax,
    async handler(task, taskContext) {
      assertStillExpected(task, { servingSinceMs, attempt: taskContext.attempt });
      const spec = specOf(context, task.cluster);
      const store = await context.openStore(storeOf(spec, task.destination));
      const identities = await identitiesOf(settings);
      const roots = settings.restoreRoots;
      return await runRestoreTask(task, { spec, store, roots, identities, context: taskContext });
    },
  });
}

function createVerifyLoop(context: ServiceContext, settings: RestorerSettings, metrics: ProofMetrics): Service {
  return createTaskService({
    name: 'restorer-verify',
    context,
    kind: 'verify',
    concurrencyMax: settings.verifyConcurrencyMax,
    attemptsMax: settings.restoreAttemptsMax,
    async handler(task, taskContext) {
      const work = await ownWork(context, settings, { cluster: task.cluster, metrics, taskContext });
      await using scratch = await makeScratch(work.scratchRoot);
      return await runVerifyTask(task, { ...work, scratchDir: scratch.path });
    },
  });
}

function createMergeLoop(context: ServiceContext, settings: RestorerSettings, metrics: ProofMetrics): Service {
  const failed = new FailedMerges(context.clock);
  return createTaskService({
    name: 'restorer-merge',
    context,
    kind: 'merge',
    concurrencyMax: settings.mergeConcurrencyMax,
    attemptsMax: settings.restoreAttemptsMax,
    async handler(task, taskContext) {
      const work = await ownWork(context, settings, { cluster: task.cluster, metrics, taskContext });
      const { encryption } = work.spec;
      const recipients = encryption === undefined ? undefined : await readRecipients(encryption);
      await using scratch = await makeScratch(work.scratchRoot);
      return await runMergeTask({ ...work, recipients, failed, scratchDir: scratch.path });
    },
  });
}

/** What verifying and merging have in common: a store, and where to make room; what a killed process left there goes with the next task. */
async function ownWork<Context>(
  context: ServiceContext,
  settings: RestorerSettings,
  { cluster, metrics, taskContext }: { cluster: string; metrics: ProofMetrics; taskContext: Context },
) {
  const { logger, clock } = context;
  const spec = specOf(context, cluster);
  const store = await context.openStore(spec.store);
  const scratchRoot = join(settings.scratchDir ?? context.spoolDir, 'restorer');
  const identities = await identitiesOf(settings);
  return { spec, store, scratchRoot, identities, logger, metrics, clock, context: taskContext };
}

/** @throws EtcdOpsError CONFIG_INVALID for a file that cannot be read: that must not look like a missing key. */
async function identitiesOf({ identityFile }: RestorerSettings): Promise<Identities | undefined> {
  return identityFile.length === 0 ? undefined : await Identities.fromFiles(identityFile);
}

function specOf({ clusters }: ServiceContext, cluster: string): ClusterSpec {
  const spec = clusters.get(cluster);
  if (spec === undefined) throw new EtcdOpsError('USAGE', { message: `The cluster ${cluster} is not under care` });
  return spec;
}
