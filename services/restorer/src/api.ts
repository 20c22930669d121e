import {
  apiEndpoint,
  dispatchTask,
  listAnswerSchema,
  listRequestSchema,
  planAnswerSchema,
  planRequestSchema,
  restoreAnswerSchema,
  restoreRequestSchema,
  snapshotAnswerSchema,
  snapshotRequestSchema,
  statusAnswerSchema,
  statusRequestSchema,
  streamFacts,
  type ApiEndpoint,
  type ClusterSpec,
  type RestoreRequest,
  type SnapshotAnswer,
  type SnapshotRequest,
  type TaskInput,
} from '@etcd-ops/bus';
import { EtcdOpsError, planRestoreFrom, readInventory, type Identities, type RestorePlan } from '@etcd-ops/core';
import type { ServiceContext } from '@etcd-ops/service-kit';
import { randomUUID } from 'node:crypto';
import { listRepository } from './list-repository.ts';
import { assertBelowRoots } from './restore-roots.ts';
import { targetOfRequest, taskOfRequest } from './restore-request.ts';
import { readStatus } from './read-status.ts';

/** `etcdops.restore`, `.snapshot`, `.list`, `.status` and `.plan`: checked and answered at once, the work goes into the queue. */
export function createApi(
  context: ServiceContext,
  roots: readonly string[],
  identitiesAtHand: () => Promise<Identities | undefined>,
): ApiEndpoint[] {
  const { bus, clusters, openStore } = context;
  return [
    apiEndpoint({
      name: 'restore',
      description: 'Restores a cluster into data directories; answers the id of the task',
      request: restoreRequestSchema,
      answer: restoreAnswerSchema,
      handler: (request) => acceptRestore(request, context, roots),
    }),
    apiEndpoint({
      name: 'snapshot',
      description: 'Takes a full snapshot, or stores the waiting events as a delta, now',
      request: snapshotRequestSchema,
      answer: snapshotAnswerSchema,
      handler: (request) => acceptSnapshot(request, context),
    }),
    apiEndpoint({
      name: 'list',
      description: 'What a cluster can be restored to',
      request: listRequestSchema,
      answer: listAnswerSchema,
      handler: async ({ cluster }, { signal }) => {
        const spec = specOf(context, cluster);
        return listRepository(await readInventory(await openStore(spec.store), spec.name, { signal }));
      },
    }),
    apiEndpoint({
      name: 'plan',
      description: 'What a restore would fetch, without doing it',
      request: planRequestSchema,
      answer: planAnswerSchema,
      handler: async (request, { signal }) => {
        const spec = specOf(context, request.cluster);
        const store = await openStore(spec.store);
        const inventory = await readInventory(store, spec.name, { signal });
        const identities = await identitiesAtHand();
        return answerOfPlan(await planRestoreFrom(store, inventory, targetOfRequest(request), { identities, signal }));
      },
    }),
    apiEndpoint({
      name: 'status',
      description: 'How far clusters are captured and durable',
      request: statusRequestSchema,
      answer: statusAnswerSchema,
      handler: async ({ cluster }) => {
        const specs = cluster === undefined ? clusters.all() : [specOf(context, cluster)];
        return { clusters: await readStatus(bus, specs) };
      },
    }),
  ];
}

async function acceptRestore(request: RestoreRequest, context: ServiceContext, roots: readonly string[]) {
  const spec = specOf(context, request.cluster);
  const task = taskOfRequest(request, randomUUID(), context.clock.now());
  // The caller hears of a refusal at once; a restorer of another pool has roots of its own and asks again by itself.
  if (task.pool === 'any') {
    for (const { dataDir, walDir } of task.dataDirs) {
      await assertBelowRoots(dataDir, roots);
      if (walDir !== undefined) await assertBelowRoots(walDir, roots);
    }
  }
  const outcome = await dispatchTask(context.ops, task);
  if (outcome !== 'accepted') {
    throw new EtcdOpsError('BUS_FAILED', { message: `The restore of ${spec.name} was not accepted: ${outcome}` });
  }
  context.logger.info(
    { cluster: spec.name, taskId: task.id, to: task.to, dataDirs: task.dataDirs },
    'A restore was asked for',
  );
  return { id: task.id, target: task.to };
}

async function acceptSnapshot({ cluster, kind }: SnapshotRequest, context: ServiceContext): Promise<SnapshotAnswer> {
  const { bus, clock } = context;
  const spec = specOf(context, cluster);
  const base = {
    version: 1 as const,
    id: randomUUID(),
    cluster: spec.name,
    createdAt: new Date(clock.now()).toISOString(),
  };
  let task: TaskInput;
  if (kind === 'full') {
    task = { ...base, kind, cause: 'request' };
  } else {
    const { lastSequence } = await streamFacts(bus, spec.name);
    if (lastSequence < 1) {
      throw new EtcdOpsError('NOTHING_TO_DO', { message: `No event of ${spec.name} was captured yet` });
    }
    task = { ...base, kind, cutSequence: lastSequence, cause: 'flush' };
  }
  // The id is the message id: a request is never taken for a repetition of another one.
  return { id: task.id, outcome: await dispatchTask(bus, task) };
}

function answerOfPlan({ full, deltas, ...plan }: RestorePlan) {
  const { cluster, timeline, revision, cutFull, bytesToFetch, expectedDbBytes, warnings } = plan;
  return {
    cluster,
    timeline,
    revision,
    full: full.key,
    cutFull,
    deltas: deltas.map(({ key }) => key),
    bytesToFetch,
    expectedDbBytes,
    warnings,
  };
}

function specOf({ clusters }: ServiceContext, cluster: string): ClusterSpec {
  const spec = clusters.get(cluster);
  if (spec === undefined) {
    throw new EtcdOpsError('USAGE', { message: `There is no cluster ${JSON.stringify(cluster)} under care` });
  }
  return spec;
}
