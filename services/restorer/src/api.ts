import {
  apiEndpoint,
  jobAnswerSchema,
  jobRequestSchema,
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
  verifyAnswerSchema,
  verifyRequestSchema,
  type ApiEndpoint,
} from '@etcd-ops/bus';
import { readInventory, type Identities } from '@etcd-ops/core';
import type { ServiceContext } from '@etcd-ops/service-kit';
import { acceptRestore, acceptSnapshot, acceptVerify, specOf } from './accept-request.ts';
import { listRepository } from './list-repository.ts';
import { planOfRequest } from './plan-of-request.ts';
import type { ProgressMemory } from './progress-memory.ts';
import { readJob } from './read-job.ts';
import { readStatus } from './read-status.ts';
import type { RestorerSettings } from './settings.ts';

/** `etcdops.restore`, `.snapshot`, `.verify`, `.job`, `.list`, `.status` and `.plan`: checked and answered at once, work goes into the queue. */
export function createApi(
  context: ServiceContext,
  settings: ApiSettings,
  memory: ProgressMemory,
  identitiesAtHand: () => Promise<Identities | undefined>,
): ApiEndpoint[] {
  return [...orders(context, settings), ...questions(context, settings, { memory, identitiesAtHand })];
}

type ApiSettings = Pick<RestorerSettings, 'restoreRoots' | 'restorePool'>;

/** A plan for the moment before a deletion looks for it in deltas and fulls. */
const PLAN_TIMEOUT_MS = 60_000;

function orders(context: ServiceContext, settings: ApiSettings): ApiEndpoint[] {
  return [
    apiEndpoint({
      name: 'restore',
      description: 'Restores a cluster into data directories; answers the id of the task',
      request: restoreRequestSchema,
      answer: restoreAnswerSchema,
      handler: (request) => acceptRestore(request, context, settings),
    }),
    apiEndpoint({
      name: 'snapshot',
      description: 'Takes a full snapshot, or stores the waiting events as a delta, now',
      request: snapshotRequestSchema,
      answer: snapshotAnswerSchema,
      handler: (request) => acceptSnapshot(request, context),
    }),
    apiEndpoint({
      name: 'verify',
      description: 'Reads, or rebuilds and proves, what is stored; answers the id of the task',
      request: verifyRequestSchema,
      answer: verifyAnswerSchema,
      handler: (request) => acceptVerify(request, context),
    }),
  ];
}

function questions(
  context: ServiceContext,
  settings: ApiSettings,
  { memory, identitiesAtHand }: { memory: ProgressMemory; identitiesAtHand: () => Promise<Identities | undefined> },
): ApiEndpoint[] {
  const { bus, ops, clusters, openStore } = context;
  return [
    apiEndpoint({
      name: 'job',
      description: 'What became of a restore, snapshot or verification, by its id',
      request: jobRequestSchema,
      answer: jobAnswerSchema,
      handler: ({ id }, { signal }) => readJob(id, context, memory, signal),
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
      timeoutMs: PLAN_TIMEOUT_MS,
      handler: async (request, { signal }) =>
        await planOfRequest(request, context, settings, { identities: await identitiesAtHand(), signal }),
    }),
    apiEndpoint({
      name: 'status',
      description: 'How far clusters are captured and durable',
      request: statusRequestSchema,
      answer: statusAnswerSchema,
      handler: async ({ cluster }) => {
        const specs = cluster === undefined ? clusters.all() : [specOf(context, cluster)];
        return { clusters: await readStatus({ bus, ops }, specs) };
      },
    }),
  ];
}
